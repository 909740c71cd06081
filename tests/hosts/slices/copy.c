/*
 * Copies slices along axis=1 of 3, and their means. It waits, writes down which slices it is called for, and crashes as it is told:
 * wait=MICROSECONDS, seen=FILE, how=abort|segfault|hang|babble|exit|exit0|thread-exit0|stop|fail at slice at=N, how=begin, begin-exit0 or begin-slow in h5io_init,
 * block=N slices a call, after=N with so many slices after each, of which nothing is made,
 * gate=FILE: while it is there, slices from the number on that is in it wait after they are written down.
 */
#define _POSIX_C_SOURCE 200112L
#include "h5io.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const char *how, *gate;
    int64_t at;
    long wait;
    int seen, block, axis, after;
    int64_t shape[3];
} state_t;

static int is(const state_t *state, const char *how)
{
    return strcmp(state->how, how) == 0;
}

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    static state_t states[64];
    state_t *state = &states[param->worker];
    const char *seen = h5io_argument(param, "seen", "");
    state->how = h5io_argument(param, "how", "");
    state->gate = h5io_argument(param, "gate", "");
    state->at = atoi(h5io_argument(param, "at", "-1"));
    state->wait = atol(h5io_argument(param, "wait", "0"));
    state->block = atoi(h5io_argument(param, "block", "1"));
    state->axis = atoi(h5io_argument(param, "axis", "1"));
    state->after = atoi(h5io_argument(param, "after", "0"));
    state->seen = *seen == '\0' ? -1 : open(seen, O_WRONLY | O_CREAT | O_APPEND, 0600);
    *context = state;
    *n_inputs = 1;
    *n_outputs = 2;
    if (is(state, "begin")) {
        abort();
    }
    if (is(state, "begin-exit0")) {
        exit(0);
    }
    if (is(state, "begin-slow")) {
        sleep(3);
    }
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    (void)context;
    (void)input_index;
    *location = "/data";
    return 0;
}

static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    (void)input_index;
    memcpy(((state_t *)context)->shape, input->shape, sizeof ((state_t *)context)->shape);
    slicing_map[((state_t *)context)->axis] = 1;
    return input->rank == 3 && input->type == h5io_uint16 ? 0 : 1;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    const state_t *state = (const state_t *)context;
    *location = output_index == 0 ? "copies" : "means";
    output->type = output_index == 0 ? h5io_same : h5io_float64;
    output->rank = output_index == 0 ? 3 : 1;
    output->shape[0] = -1;
    output->shape[1] = state->shape[state->axis == 0 ? 1 : 0];
    output->shape[2] = state->shape[2];
    return 0;
}

static void *end_all(void *nothing)
{
    (void)nothing;
    exit(0);
}

static int crash(const state_t *state)
{
    pthread_t thread;
    if (is(state, "abort")) {
        abort();
    }
    if (is(state, "segfault")) {
        volatile int *nowhere = NULL;
        *nowhere = 1;
    }
    if (is(state, "exit")) {
        _exit(3);
    }
    if (is(state, "exit0")) {
        exit(0);
    }
    if (is(state, "thread-exit0")) {
        return pthread_create(&thread, NULL, end_all, NULL) == 0 && pthread_join(thread, NULL) == 0 ? 0 : 1;
    }
    while (is(state, "hang")) {
        pause();
    }
    if (is(state, "babble")) {
        /* To the process that started this one. */
        return write(0, "nonsense\n", 9) == 9 ? 0 : 1;
    }
    return is(state, "fail") ? 1 : 0;
}

static int is_held(const char *gate, int64_t slice)
{
    FILE *file = *gate == '\0' ? NULL : fopen(gate, "r");
    int first = 0, is_read = 0;
    if (file != NULL) {
        is_read = fscanf(file, "%d", &first) == 1;
        fclose(file);
    }
    return is_read && first <= slice;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    const state_t *state = (const state_t *)context;
    struct timespec wait = {0, 1000 * state->wait}, pause = {0, 5000000};
    int64_t n = state->shape[state->axis == 0 ? 1 : 0] * state->shape[2], slice, i;
    (void)n_inputs;
    (void)n_outputs;
    for (slice = 0; slice < inputs[0].n_slices; slice++) {
        const uint16_t *pixels = (const uint16_t *)inputs[0].data + slice * n;
        double *mean = (double *)outputs[1].data + slice;
        char line[32];
        int length = snprintf(line, sizeof line, "%d\n", (int)(slice_number + slice));
        if (state->seen >= 0 && write(state->seen, line, (size_t)length) != length) {
            return 2;
        }
        nanosleep(&wait, NULL);
        while (is_held(state->gate, slice_number + slice)) {
            nanosleep(&pause, NULL);
        }
        if (slice_number + slice == state->at && is(state, "stop")) {
            return H5IO_STOP;
        }
        if (slice_number + slice == state->at && crash(state) != 0) {
            return 1;
        }
        memcpy((uint16_t *)outputs[0].data + slice * n, pixels, (size_t)n * sizeof *pixels);
        for (i = 0; i < n; i++) {
            *mean += pixels[i] / (double)n;
        }
    }
    return 0;
}

static int processing_complete(void *context)
{
    (void)context;
    return 0;
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context;
    return error_code == 1 ? "as it was told" : "the file of what it has seen cannot be written";
}

static int set_block(void *context, int *max_slices)
{
    *max_slices = ((state_t *)context)->block;
    return 0;
}

static int set_padding(void *context, int input_index, int *before, int *after)
{
    (void)input_index;
    *before = 0;
    *after = ((state_t *)context)->after;
    return 0;
}

H5IO_LIBRARY_WITH(h5io_context, "copy", "1.0", set_padding, set_block)
