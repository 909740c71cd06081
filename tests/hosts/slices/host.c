/*
 * A host of h5io.h in a few lines, for sanitizers: several threads call a library for slices of numbers, each for its own.
 *
 *     host LIBRARY N_THREADS RANK SHAPE...      all inputs have this shape, of uint16
 */
#define _POSIX_C_SOURCE 200112L
#include "h5io.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_INPUTS = 8, MAX_THREADS = 16 };

static const h5io_library_t *library;
static void *context;
static int n_inputs, n_outputs, n_threads;
static int64_t n_slices = 1;
static h5io_dataspace_t inputs[MAX_INPUTS], outputs[MAX_INPUTS];
static int n_failed[MAX_THREADS];

static size_t n_bytes(const h5io_dataspace_t *space)
{
    size_t n = space->element_bytes;
    int axis;
    for (axis = 0; axis < space->rank; axis++) {
        n *= (size_t)space->shape[axis];
    }
    return n;
}

/* Memory of its own for each slice, so that a sanitizer sees the first byte beyond it. */
static void *call(void *argument)
{
    int thread = (int)(size_t)argument, index;
    int64_t slice;
    for (slice = thread; slice < n_slices; slice += n_threads) {
        h5io_dataspace_t in[MAX_INPUTS], out[MAX_INPUTS];
        memcpy(in, inputs, sizeof in);
        memcpy(out, outputs, sizeof out);
        for (index = 0; index < n_inputs; index++) {
            in[index].place[0] = slice;
            if (posix_memalign(&in[index].data, 64, n_bytes(&in[index])) != 0) {
                abort();
            }
            memset(in[index].data, (int)(slice & 127), n_bytes(&in[index]));
        }
        for (index = 0; index < n_outputs; index++) {
            out[index].place[0] = slice;
            if (posix_memalign(&out[index].data, 64, n_bytes(&out[index])) != 0) {
                abort();
            }
            memset(out[index].data, 0, n_bytes(&out[index]));
        }
        n_failed[thread] += library->process(context, slice, n_inputs, in, n_outputs, out) != 0;
        for (index = 0; index < n_inputs; index++) {
            free(in[index].data);
        }
        for (index = 0; index < n_outputs; index++) {
            free(out[index].data);
        }
    }
    return NULL;
}

/* Asks for an input, and keeps the axes that are not sliced. */
static int ask(int index, int rank, char **shape)
{
    h5io_dataspace_t space = {sizeof space, h5io_uint16, 2, 0, 0, {0}, 1, 0, 1, {0}, NULL};
    int map[H5IO_MAX_RANK] = {0}, axis, n = 0;
    const char *location;
    space.rank = index == 0 ? rank : rank - 1;
    for (axis = 0; axis < space.rank; axis++) {
        space.shape[axis] = atoi(shape[index == 0 ? axis : axis + 1]);
    }
    if (index == 2) {
        space.type = h5io_float64;
        space.element_bytes = 8;
    }
    if (library->request_input(context, index, &location) != 0 || library->set_input_slice(context, index, &space, map) != 0) {
        return 1;
    }
    inputs[index] = space;
    for (axis = 0; axis < space.rank; axis++) {
        if (map[axis] == 1) {
            n_slices = space.shape[axis];
        } else {
            inputs[index].shape[n++] = space.shape[axis];
        }
    }
    inputs[index].is_fixed = n == space.rank;
    inputs[index].rank = n;
    return 0;
}

static int offer(int index)
{
    static const uint64_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
    const char *location;
    h5io_dataspace_t space = {sizeof space, 0, 0, 0, 0, {0}, 1, 0, 1, {0}, NULL};
    int axis, n = 0;
    if (library->request_output(context, index, &location, &space) != 0) {
        return 1;
    }
    outputs[index] = space;
    outputs[index].element_bytes = sizes[space.type];
    for (axis = 0; axis < space.rank; axis++) {
        if (space.shape[axis] >= 0) {
            outputs[index].shape[n++] = space.shape[axis];
        }
    }
    outputs[index].rank = n;
    return 0;
}

int main(int argc, char **argv)
{
    h5io_global_param_t param = {sizeof param, H5IO_ABI, 0, 1, 0, 0, 1, 0, NULL, "none.h5"};
    pthread_t threads[MAX_THREADS];
    h5io_library_function function;
    void *file = dlopen(argv[1], RTLD_NOW);
    int index, code = 0;
    if (file == NULL || argc < 5) {
        fprintf(stderr, "%s\n", file == NULL ? dlerror() : "host LIBRARY N_THREADS RANK SHAPE...");
        return 2;
    }
    *(void **)&function = dlsym(file, "h5io_library");
    library = function(H5IO_ABI);
    n_threads = param.n_workers = atoi(argv[2]);
    if (library->h5io_init(&context, &param, &n_inputs, &n_outputs) != 0) {
        return 2;
    }
    for (index = 0; index < n_inputs && code == 0; index++) {
        code = ask(index, atoi(argv[3]), argv + 4);
    }
    for (index = 0; index < n_outputs && code == 0; index++) {
        code = offer(index);
    }
    for (index = 0; index < n_threads && code == 0; index++) {
        code = pthread_create(&threads[index], NULL, call, (void *)(size_t)index);
    }
    for (index = 0; index < n_threads && code == 0; index++) {
        code = pthread_join(threads[index], NULL);
        code += n_failed[index];
    }
    printf("%d slices, code %d\n", (int)n_slices, code);
    return library->processing_complete(context) + code;
}
