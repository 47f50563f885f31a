# Does a JSON document follow a JSON schema? Its parts are beside it.
# Usage: python3 tests/schema.py SCHEMA DOCUMENT
import json
import pathlib
import sys

import jsonschema

schema = pathlib.Path(sys.argv[1]).resolve()
resolver = jsonschema.RefResolver(schema.as_uri(), None)
document = json.loads(pathlib.Path(sys.argv[2]).read_text())
jsonschema.validate(document, json.loads(schema.read_text()), resolver=resolver)
