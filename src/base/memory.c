#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number of a line "KEY: N kB", in bytes; 0: there is none. */
static uint64_t line_of(const char *path, const char *key)
{
    char text[512];
    unsigned long long kib = 0;
    const size_t n = strlen(key);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    while (fgets(text, sizeof text, f))
        if (strncmp(text, key, n) == 0 &&
            sscanf(text + n, ": %llu kB", &kib) == 1)
            break;
    fclose(f);
    return kib * 1024;
}

/* The sum over all mappings: statm is off by some pages for each processor. */
uint64_t heedi_resident(void)
{
    unsigned long long size, pages = 0;
    const uint64_t exact = line_of("/proc/self/smaps_rollup", "Rss");
    FILE *f = exact > 0 ? NULL : fopen("/proc/self/statm", "r");
    if (!f)
        return exact;
    if (fscanf(f, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Mappings, each followed by its numbers. */
uint64_t heedi_resident_but(heedi_mapping_fn *left_out, const void *ud)
{
    char text[512];
    unsigned long long from, to, kib, sum = 0;
    bool counts = false;
    FILE *f = fopen("/proc/self/smaps", "r");
    while (f && fgets(text, sizeof text, f))
        if (sscanf(text, "%llx-%llx ", &from, &to) == 2)
            counts = !left_out(ud, (uintptr_t)from, (uintptr_t)to);
        else if (counts && sscanf(text, "Rss: %llu kB", &kib) == 1)
            sum += kib;
    if (f)
        fclose(f);
    return sum > 0 ? sum * 1024 : heedi_resident();
}

uint64_t heedi_touched(const void *p, size_t n)
{
    unsigned char in[4096];
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = ((uintptr_t)p + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)p + n) / page * page;
    uint64_t pages = 0;
    while (at < end) {
        const uintptr_t left = (end - at) / page;
        const uintptr_t some = left < sizeof in ? left : sizeof in;
        if (mincore((void *)at, some * page, in) != 0)
            return 0;
        for (uintptr_t i = 0; i < some; i++)
            pages += in[i] & 1;
        at += some * page;
    }
    return pages * page;
}

uint64_t heedi_available(void)
{
    return line_of("/proc/meminfo", "MemAvailable");
}

bool heedi_address_room(size_t n)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_AS, &r) != 0 || r.rlim_cur == RLIM_INFINITY)
        return true;
    void *p = mmap(NULL, n, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    munmap(p, n);
    return true;
}

void heedi_huge_pages(void *p, size_t n)
{
#ifdef MADV_HUGEPAGE
    enum { HUGE = 2 << 20 };
    const uintptr_t from = ((uintptr_t)p + HUGE - 1) / HUGE * HUGE;
    const uintptr_t to = ((uintptr_t)p + n) / HUGE * HUGE;
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)p;
    (void)n;
#endif
}
