/*
 * process: what stands at "process" in config.json, or in a file of its own:
 * the command and who it is. To be used by the bundle module.
 */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include "bundle.h"
#include "jsonfile.h"

/*
 * Read f->root. Faults are left in f; what the process holds is in any case
 * given back by bundle_process_free.
 *
 * unapplied: where not NULL, the JSON paths of what lesson02 does not do are
 * appended, see struct bundle.
 */
void process_read(
	struct jsonfile *f, struct bundle_process *process, json_t *unapplied);

#endif
