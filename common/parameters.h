/*
 * parameters: what stands at "linux.sysctl" in config.json: kernel parameters
 * that the container has for itself. To be used by the bundle module.
 */
#ifndef COMMON_PARAMETERS_H
#define COMMON_PARAMETERS_H

#include "bundle.h"
#include "jsonfile.h"

/* Read it from a config.json whose types were checked, after the namespaces.
 * Faults are left in f; bundle_free gives back what b holds. */
void parameters_read(struct jsonfile *f, struct bundle *b);

#endif
