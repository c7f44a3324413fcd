/* memory.h - what this process uses, and what the machine has left. */
#ifndef HEEDI_MEMORY_H
#define HEEDI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Resident bytes of this process; 0 if the system does not say. */
uint64_t heedi_resident(void);
/* Of the n mapped bytes at p, those that are resident in this process; 0 if
 * the system does not say. */
uint64_t heedi_resident_in(const void *p, size_t n);
/* Of n allocated bytes at p, those in pages that are resident: what was
 * touched. */
uint64_t heedi_touched(const void *p, size_t n);
/* Bytes that could be used without swapping; 0 if the system does not say. */
uint64_t heedi_available(void);
/* Whether a limit of the address space (ulimit -v) leaves room for n bytes. */
bool heedi_address_room(size_t n);
/* Asks for large pages for the n bytes at p, where the system has them: a
 * fault for 2 MiB instead of one for 4 KiB, and rows that are far apart need
 * fewer entries of the processor's page tables. */
void heedi_huge_pages(void *p, size_t n);

#endif
