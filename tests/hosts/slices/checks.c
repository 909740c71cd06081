/*
 * A library that checks its host: what it is handed in, in which order, on which threads. Arguments say what it does wrong.
 *
 * meet=FILE gets a byte from each worker that begins; calls wait until all have begun, so that every worker has some.
 * threads are set at compile time: -DTHREADS=h5io_one, h5io_context or h5io_any; -DWITH_BLOCKS for padding and blocks.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200112L
#endif
#include "h5io.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef THREADS
#define THREADS h5io_any
#endif

enum { FAILS = 7, NOT_ALIGNED = 8, WRONG_CALL = 9, NOT_ZERO = 10 };

typedef struct {
    const char *wrong;
    FILE *log;
    int worker;
    int has_begun;
    int64_t last; /* the last slice of this context */
    int64_t at;   /* the slice that is done wrong */
    int64_t n_core;
    int before, after, block;
    const char *meet;
    int n_workers;
} state_t;

static int is(const state_t *state, const char *what)
{
    return strcmp(state->wrong, what) == 0;
}

/* Tells the other workers that this one has begun. */
static void come(const state_t *state)
{
    FILE *file = *state->meet == '\0' ? NULL : fopen(state->meet, "a");
    if (file != NULL) {
        fputc('.', file);
        fclose(file);
    }
}

/* Waits until all workers have begun; after two minutes it goes on without them. */
static void meet(const state_t *state)
{
    const struct timespec pause = {0, 10000000};
    int n;
    for (n = 0; *state->meet != '\0' && n < 12000; n++) {
        FILE *file = fopen(state->meet, "r");
        long n_begun = 0;
        if (file != NULL) {
            n_begun = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
            fclose(file);
        }
        if (n_begun >= state->n_workers) {
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    state_t *state = (state_t *)calloc(1, sizeof *state);
    const char *log = h5io_argument(param, "log", "");
    if (state == NULL || param->struct_size != sizeof *param || param->abi != H5IO_ABI || *context != NULL) {
        free(state);
        return WRONG_CALL;
    }
    state->wrong = h5io_argument(param, "wrong", "");
    state->at = atoi(h5io_argument(param, "at", "-1"));
    state->before = atoi(h5io_argument(param, "before", "0"));
    state->after = atoi(h5io_argument(param, "after", "0"));
    state->block = atoi(h5io_argument(param, "block", "1"));
    state->meet = h5io_argument(param, "meet", "");
    state->n_workers = param->n_workers;
    state->last = -1;
    state->worker = param->worker;
    state->log = *log == '\0' ? NULL : fopen(log, "a");
    if (is(state, "init")) {
        if (state->log != NULL) {
            fclose(state->log);
        }
        free(state);
        return FAILS;
    }
    state->has_begun = 1;
    come(state);
    *context = state;
    *n_inputs = is(state, "counts") ? 0 : 1;
    *n_outputs = param->has_output ? 1 : 0;
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    state_t *state = (state_t *)context;
    (void)input_index;
    *location = is(state, "location") ? NULL : is(state, "missing") ? "/nowhere" : "/data";
    return is(state, "request_input") ? FAILS : 0;
}

/* Slices along axis 1 of 3. */
static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    state_t *state = (state_t *)context;
    (void)input_index;
    if (input->struct_size != sizeof *input || input->rank != 3 || slicing_map[0] != 0 || slicing_map[1] != 0) {
        return WRONG_CALL;
    }
    state->n_core = input->shape[0] * input->shape[2];
    slicing_map[1] = is(state, "no map") ? 0 : is(state, "gap") ? 2 : is(state, "negative") ? -1 : 1;
    slicing_map[2] = is(state, "twice") ? 1 : 0;
    if (is(state, "differs") && state->worker > 0) {
        slicing_map[1] = 0;
        slicing_map[0] = 1;
    }
    return is(state, "set_input_slice") ? FAILS : 0;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    state_t *state = (state_t *)context;
    (void)output_index;
    *location = is(state, "no name") ? NULL : is(state, "root") ? "/" : is(state, "taken") ? "/entry/process/status" : "means";
    output->type = is(state, "type") ? 55 : h5io_float64;
    output->rank = is(state, "rank") ? 33 : 1;
    output->shape[0] = is(state, "shape") ? 5 : is(state, "axis") ? -2 : -1;
    return is(state, "request_output") ? FAILS : 0;
}

static double mean(const state_t *state, const uint16_t *pixels)
{
    double sum = 0;
    int64_t i;
    for (i = 0; i < state->n_core; i++) {
        sum += pixels[i];
    }
    return sum / (double)state->n_core;
}

/* The mean of a slice, and of those that padding adds. */
static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    state_t *state = (state_t *)context;
    const uint16_t *pixels = (const uint16_t *)inputs[0].data;
    int64_t n = inputs[0].n_slices, around = state->before + 1 + state->after, i, k;
    int is_led = state->block > 1 || around > 1;
    if ((size_t)inputs[0].data % 64 != 0 || (n_outputs == 1 && (size_t)outputs[0].data % 64 != 0)) {
        return NOT_ALIGNED;
    }
    if (n_inputs != 1 || inputs[0].rank != 2 + is_led || inputs[0].place[0] != slice_number || inputs[0].is_fixed ||
        inputs[0].n_axes != 1 || n < 1 || n > state->block || inputs[0].before != state->before ||
        (is_led && inputs[0].shape[0] != n + around - 1) || inputs[0].type != h5io_uint16) {
        return WRONG_CALL;
    }
    if (THREADS != h5io_any) {
        if (slice_number <= state->last) {
            return WRONG_CALL;
        }
        state->last = slice_number;
    }
    meet(state);
    if (slice_number <= state->at && state->at < slice_number + n) {
        if (is(state, "process")) {
            return FAILS;
        }
        if (is(state, "skip")) {
            return H5IO_SKIP;
        }
        if (is(state, "stop")) {
            return H5IO_STOP;
        }
    }
    for (i = 0; n_outputs == 1 && i < n; i++) {
        double *out = (double *)outputs[0].data + i, sum = 0;
        if (*out != 0 || outputs[0].rank != (state->block > 1 ? 1 : 0)) {
            return NOT_ZERO;
        }
        for (k = 0; k < around; k++) {
            sum += mean(state, pixels + (i + k) * state->n_core);
        }
        *out = sum / (double)around;
    }
    return 0;
}

static int processing_complete(void *context)
{
    state_t *state = (state_t *)context;
    int fails = is(state, "complete");
    if (state->log != NULL) {
        fprintf(state->log, "complete %d\n", state->worker);
        fclose(state->log);
    }
    if (!state->has_begun) {
        abort();
    }
    state->has_begun = 0;
    free(state);
    return fails ? FAILS : 0;
}

static const char *get_error_code(void *context, int error_code)
{
    (void)context;
    switch (error_code) {
    case FAILS:
        return "as it was told";
    case NOT_ALIGNED:
        return "data are not aligned";
    case WRONG_CALL:
        return "it was called wrongly";
    case NOT_ZERO:
        return "outputs are not zeros before";
    default:
        return NULL;
    }
}

#ifdef WITH_BLOCKS
static int set_padding(void *context, int input_index, int *before, int *after)
{
    state_t *state = (state_t *)context;
    (void)input_index;
    *before = is(state, "padding") ? -1 : state->before;
    *after = state->after;
    return 0;
}

static int set_block(void *context, int *max_slices)
{
    *max_slices = ((state_t *)context)->block;
    return 0;
}
H5IO_LIBRARY_WITH(THREADS, "checks", "2.5", set_padding, set_block)
#else
H5IO_LIBRARY(THREADS, "checks", "2.5")
#endif
