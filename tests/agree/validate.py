"""Usage: validate.py SCHEMA DOCUMENT. Is the JSON document as the JSON schema
says? Schemas that it refers to are files beside it; nothing is downloaded.
Exit: 0 yes, 3 no: the fault is told on standard output."""
import json
import os
import sys

import jsonschema


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(schema, document):
    base = "file://" + os.path.realpath(schema)
    resolver = jsonschema.RefResolver(base, load(schema))
    kind = jsonschema.Draft4Validator
    fault = next(kind(load(schema), resolver=resolver).iter_errors(
        load(document)), None)
    if fault is None:
        return 0
    print("/".join(str(part) for part in fault.path) + ": " + fault.message)
    return 3


sys.exit(main(*sys.argv[1:]))
