/*
 * A plugin of the Python package on Linux: one of the filters of darkchunk.so, which lies beside it, so that six plugins do not hold
 * the same code six times. A link to the plugin is followed; a copy of it needs a copy of darkchunk.so beside it, without which
 * HDF5 looks further.
 *
 *   cc -shared -fPIC -Os -DFILTER=32008 plugin.c -o libh5bitshuffle.so -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

/* Also the mark by which `darkchunk plugins` knows its files: so a compiler must keep it in one piece. */
static const char *volatile LIBRARY = "darkchunk.so";

EXPORTED int H5PLget_plugin_type(void);
EXPORTED const void *H5PLget_plugin_info(void);

/* The library beside this file, which stays loaded. */
static void *library(void) {
    const char *beside = LIBRARY;
    char path[PATH_MAX + 32];
    Dl_info here;
    if (!dladdr((void *)(intptr_t)H5PLget_plugin_type, &here) || !realpath(here.dli_fname, path)) return NULL;
    char *name = strrchr(path, '/');
    if (!name) return NULL;
    strcpy(name + 1, beside);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

/* The filter's table (H5Z_class2_t), or NULL where the library is not there. */
static const void *table(void) {
    const void *(*class_of)(uint32_t);
    void *symbol, *loaded = library();
    if (!loaded || !(symbol = dlsym(loaded, "dc_filter_class"))) return NULL;
    memcpy(&class_of, &symbol, sizeof class_of);
    return class_of(FILTER);
}

/* H5PL_TYPE_FILTER, or H5PL_TYPE_ERROR, with which HDF5 goes on to the next file. */
EXPORTED int H5PLget_plugin_type(void) { return table() ? 0 : -1; }

EXPORTED const void *H5PLget_plugin_info(void) { return table(); }
