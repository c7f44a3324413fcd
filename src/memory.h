/* memory.h - what this process uses, and what the machine has left. */
#ifndef HEEDI_MEMORY_H
#define HEEDI_MEMORY_H

#include <stdint.h>

/* Resident bytes of this process; 0 if the system does not say. */
uint64_t heedi_resident(void);
/* Bytes that could be used without swapping; 0 if the system does not say. */
uint64_t heedi_available(void);

#endif
