/* memory.h - what this process uses, and what the machine has left. */
#ifndef HEEDI_MEMORY_H
#define HEEDI_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Resident bytes of this process; 0 if the system does not say. */
uint64_t heedi_resident(void);
/* The same without the mappings, from and to, that are left out; of all, if the
 * system does not say what each has. One look at all of them, which takes a
 * while: 8 ms where 500 MB are resident in small pages. */
typedef bool heedi_mapping_fn(const void *ud, uintptr_t from, uintptr_t to);
uint64_t heedi_resident_but(heedi_mapping_fn *left_out, const void *ud);
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
