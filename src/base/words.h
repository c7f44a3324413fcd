/* words.h - lists of names written as one string. */
#ifndef HEEDI_WORDS_H
#define HEEDI_WORDS_H

#include <stdbool.h>

/* Is name one of the words of list, which are separated by spaces or '|'? Case
 * and '-' against '_' do not matter. */
bool heedi_has_word(const char *list, const char *name);
/* The same for two whole names. */
bool heedi_same_name(const char *a, const char *b);

#endif
