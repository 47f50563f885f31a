/* containers: lesson08 and lesson09 beside those that they stand in for. */
#ifndef BENCH_CONTAINERS_H
#define BENCH_CONTAINERS_H

/* Start to exit of a container; a command in a running one. */
void containers_start(void);
void containers_exec(void);

#endif
