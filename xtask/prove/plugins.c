/*
 * Loads each plugin that is named, as HDF5 does, and asks it what it is: `plugins FILE...`. Fails where one cannot be
 * loaded, is no filter, or has not the first words of HDF5's table of a filter: version 1, then a number.
 */
#include <stdio.h>

#ifdef _WIN32
#include <windows.h>
static void *open_library(const char *file) { return (void *)LoadLibraryA(file); }
static void *function(void *library, const char *name) { return (void *)GetProcAddress((HMODULE)library, name); }
static const char *reason(void) { return "LoadLibrary fails"; }
#else
#include <dlfcn.h>
static void *open_library(const char *file) { return dlopen(file, RTLD_NOW | RTLD_LOCAL); }
static void *function(void *library, const char *name) { return dlsym(library, name); }
static const char *reason(void) { return dlerror(); }
#endif

typedef struct table { int version, id; unsigned encodes, decodes; const char *name; } table;

static int look_at(const char *file) {
    void *library = open_library(file);
    if (!library) return fprintf(stderr, "%s: %s\n", file, reason()), 1;
    int (*type)(void) = (int (*)(void))function(library, "H5PLget_plugin_type");
    const void *(*info)(void) = (const void *(*)(void))function(library, "H5PLget_plugin_info");
    if (!type || !info || type() != 0) return fprintf(stderr, "%s is no filter\n", file), 1;
    const table *found = (const table *)info();
    if (found->version != 1 || found->id < 256 || !found->name) return fprintf(stderr, "%s: a wrong table\n", file), 1;
    printf("%d %s\n", found->id, found->name);
    return 0;
}

int main(int n, char **files) {
    int n_failed = 0;
    for (int index = 1; index < n; ++index) n_failed += look_at(files[index]);
    return n < 2 || n_failed;
}
