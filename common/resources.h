/*
 * resources: what stands at "linux.resources" in config.json: limits for the
 * container's control groups. To be used by the bundle module.
 */
#ifndef COMMON_RESOURCES_H
#define COMMON_RESOURCES_H

#include "bundle.h"
#include "jsonfile.h"

/* Read it from a config.json whose types were checked. Faults are left in f;
 * what r holds is in any case given back by resources_free. */
void resources_read(struct jsonfile *f, struct bundle_resources *r);

void resources_free(struct bundle_resources *r);

#endif
