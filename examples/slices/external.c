/*
 * A program of your own for each slice: it reads a file of numpy's kind (.npy), and writes another. As many run at the same time as there
 * are workers (-j).
 *
 *     gcc -O2 -shared -fPIC -o external.so external.c -I../../dist/include
 *     darkchunk slices run scan.h5 -l ./external.so -o filtered.h5 -j 8 -- \
 *         input=/entry/data/data map=0,1,0 'command=python3 filter.py "$1" "$2"' type=float32 shape=-1,512,512
 *
 * The command is one of the shell: $1 is the file with the slice, $2 the one that it must write, $3 the slice's number. If it ends with
 * another code than 0, is killed, takes longer than its time, or writes another array, the slice has failed; what it last said on
 * standard error is in the message.
 *
 * A program that takes long to start is started once for each worker, and stays: serve= in place of command=. For each slice it gets a line on
 * standard input, the three with tabs between them, and answers with a line on standard output: "done", "skip" for no output, or else
 * why it failed. It ends when its input does. One that has ended, or takes longer than its time for a slice and is killed for it, costs that
 * slice; for the next one another is started.
 *
 * input=PATH    the dataset; /entry/data/data if not said
 * map=N,N,…     its slicing map; 1,0,0,… if not said
 * command=TEXT  what is run for each slice
 * serve=TEXT    what is run once
 * shape=N,N,…   the output's shape, -1 for slicing axis 1; without it, and without -o, there is no output and no $2
 * type=NAME     its type: int8 … uint64, float32 or float64; that of the input if not said
 * seconds=N     the time that a slice may take; 600 if not said
 * folder=PATH   where files are for the time of a call; /dev/shm if not said, which is memory
 */
#define _GNU_SOURCE
#include "h5io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { NO_MEMORY = 1, BAD_MAP, BAD_SHAPE, BAD_TYPE, NO_COMMAND, FAILED };
enum { PATH_BYTES = 1024, TEXT_BYTES = 2048, HEADER_BYTES = 1024 };

typedef struct {
    const char *input, *map, *command, *serve, *shape, *type_name, *folder;
    int has_output, out_type, n_core_in, n_core_out;
    int64_t core_in[H5IO_MAX_RANK], core_out[H5IO_MAX_RANK];
    double seconds;
    char in[PATH_BYTES], out[PATH_BYTES], said[PATH_BYTES];
    pid_t server; /* 0 where there is none */
    int to_server, from_server;
    char text[TEXT_BYTES]; /* what went wrong; a context has one worker */
} state_t;

static const struct {
    const char *name, *numpy;
    size_t n_bytes;
} types[] = {{"", "", 0},         {"int8", "i1", 1},  {"uint8", "u1", 1},  {"int16", "i2", 2},   {"uint16", "u2", 2}, {"int32", "i4", 4},
             {"uint32", "u4", 4}, {"int64", "i8", 8}, {"uint64", "u8", 8}, {"float32", "f4", 4}, {"float64", "f8", 8}};
enum { N_TYPES = sizeof types / sizeof *types };

/* Reads "N,N,…" into numbers; -1 where it is something else. */
static int numbers(const char *text, int64_t *out)
{
    int n = 0;
    while (*text != '\0') {
        char *end;
        long long value = strtoll(text, &end, 10);
        if (end == text || n == H5IO_MAX_RANK || (*end != ',' && *end != '\0')) {
            return -1;
        }
        out[n++] = value;
        text = *end == ',' ? end + 1 : end;
    }
    return n;
}

static int h5io_init(void **context, const h5io_global_param_t *param, int *n_inputs, int *n_outputs)
{
    state_t *state = calloc(1, sizeof *state);
    int length;
    if (state == NULL) {
        return NO_MEMORY;
    }
    state->input = h5io_argument(param, "input", "/entry/data/data");
    state->map = h5io_argument(param, "map", "1");
    state->serve = h5io_argument(param, "serve", NULL);
    state->command = h5io_argument(param, "command", state->serve);
    state->shape = h5io_argument(param, "shape", NULL);
    state->type_name = h5io_argument(param, "type", NULL);
    state->folder = h5io_argument(param, "folder", "/dev/shm");
    state->seconds = atof(h5io_argument(param, "seconds", "600"));
    state->has_output = param->has_output;
    length = snprintf(state->in, PATH_BYTES, "%s/darkchunk-%ld-%d-in.npy", state->folder, (long)getpid(), param->worker);
    snprintf(state->out, PATH_BYTES, "%s/darkchunk-%ld-%d-out.npy", state->folder, (long)getpid(), param->worker);
    snprintf(state->said, PATH_BYTES, "%s/darkchunk-%ld-%d-said", state->folder, (long)getpid(), param->worker);
    if (state->command == NULL || length < 0 || length >= PATH_BYTES - 8 || (state->has_output && state->shape == NULL)) {
        length = state->command == NULL ? NO_COMMAND : BAD_SHAPE;
        free(state);
        return length;
    }
    *context = state;
    *n_inputs = 1;
    *n_outputs = state->has_output ? 1 : 0;
    return 0;
}

static int request_input(void *context, int input_index, const char **location)
{
    (void)input_index;
    *location = ((state_t *)context)->input;
    return 0;
}

static int set_input_slice(void *context, int input_index, const h5io_dataspace_t *input, int *slicing_map)
{
    state_t *state = context;
    int64_t map[H5IO_MAX_RANK] = {0};
    int n = numbers(state->map, map), axis;
    (void)input_index;
    if (n < 0 || n > input->rank) {
        return BAD_MAP;
    }
    if (input->type < 1 || input->type >= N_TYPES) {
        return BAD_TYPE;
    }
    for (axis = 0; axis < input->rank; axis++) {
        if (map[axis] < 0 || map[axis] > H5IO_MAX_RANK) {
            return BAD_MAP;
        }
        slicing_map[axis] = (int)map[axis];
        if (map[axis] == 0) {
            state->core_in[state->n_core_in++] = input->shape[axis];
        }
    }
    state->out_type = input->type;
    return 0;
}

static int request_output(void *context, int output_index, const char **location, h5io_dataspace_t *output)
{
    state_t *state = context;
    int axis;
    (void)output_index;
    if (state->type_name != NULL) {
        for (state->out_type = 1; state->out_type < N_TYPES; state->out_type++) {
            if (strcmp(types[state->out_type].name, state->type_name) == 0) {
                break;
            }
        }
        if (state->out_type == N_TYPES) {
            return BAD_TYPE;
        }
    }
    output->rank = numbers(state->shape, output->shape);
    if (output->rank < 0) {
        return BAD_SHAPE;
    }
    for (axis = 0; axis < output->rank; axis++) {
        if (output->shape[axis] >= 0) {
            state->core_out[state->n_core_out++] = output->shape[axis];
        }
    }
    *location = "data";
    output->type = state->out_type;
    return 0;
}

/* The header of a .npy file, as numpy writes it, without its padding. */
static void describe(char *header, int type, int n_core, const int64_t *core)
{
    const uint16_t one = 1;
    int axis, at = snprintf(header, HEADER_BYTES, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                            types[type].n_bytes == 1 ? '|' : *(const unsigned char *)&one ? '<' : '>', types[type].numpy);
    for (axis = 0; axis < n_core; axis++) {
        at += snprintf(header + at, (size_t)(HEADER_BYTES - at), "%lld%s", (long long)core[axis],
                       axis + 1 < n_core ? ", " : n_core == 1 ? "," : "");
    }
    snprintf(header + at, (size_t)(HEADER_BYTES - at), "), }");
}

static size_t n_bytes(int type, int n_core, const int64_t *core)
{
    size_t n = types[type].n_bytes;
    int axis;
    for (axis = 0; axis < n_core; axis++) {
        n *= (size_t)core[axis];
    }
    return n;
}

static int system_failed(state_t *state, const char *path)
{
    snprintf(state->text, TEXT_BYTES, "%s: %s", path, strerror(errno));
    return FAILED;
}

static int write_slice(state_t *state, const h5io_dataspace_t *input)
{
    char header[HEADER_BYTES];
    size_t length, whole, written;
    FILE *file = fopen(state->in, "wb");
    if (file == NULL) {
        return system_failed(state, state->in);
    }
    describe(header, input->type, state->n_core_in, state->core_in);
    length = strlen(header);
    whole = (10 + length + 1 + 63) / 64 * 64;
    fwrite("\x93NUMPY\x01\x00", 1, 8, file);
    fputc((int)((whole - 10) & 0xff), file);
    fputc((int)((whole - 10) >> 8), file);
    fprintf(file, "%-*s\n", (int)(whole - 11), header);
    written = fwrite(input->data, 1, n_bytes(input->type, state->n_core_in, state->core_in), file);
    if (fclose(file) != 0 || written != n_bytes(input->type, state->n_core_in, state->core_in)) {
        return system_failed(state, state->in);
    }
    return 0;
}

static int read_result(state_t *state, void *data)
{
    char expected[HEADER_BYTES], found[HEADER_BYTES] = "";
    unsigned char front[10] = {0};
    size_t whole, length, wanted = n_bytes(state->out_type, state->n_core_out, state->core_out);
    FILE *file = fopen(state->out, "rb");
    int is_good;
    if (file == NULL) {
        return system_failed(state, "the program has written nothing");
    }
    describe(expected, state->out_type, state->n_core_out, state->core_out);
    length = fread(front, 1, sizeof front, file);
    whole = front[8] + 256u * front[9];
    is_good = length == sizeof front && memcmp(front, "\x93NUMPY\x01", 7) == 0 && whole < HEADER_BYTES &&
              fread(found, 1, whole, file) == whole && strncmp(found, expected, strlen(expected)) == 0 &&
              fread(data, 1, wanted, file) == wanted && fgetc(file) == EOF;
    fclose(file);
    if (!is_good) {
        found[strcspn(found, "\n")] = '\0';
        snprintf(state->text, TEXT_BYTES, "the program has written another array than %.200s: %.600s", expected, found);
        return FAILED;
    }
    return 0;
}

/* Adds what the program last said on standard error. */
static int add_said(state_t *state)
{
    char said[1000] = "";
    size_t n = 0, at = strlen(state->text);
    FILE *file = fopen(state->said, "rb");
    if (file != NULL) {
        if (fseek(file, -(long)(sizeof said - 1), SEEK_END) != 0) {
            rewind(file);
        }
        n = fread(said, 1, sizeof said - 1, file);
        fclose(file);
    }
    while (n > 0 && (said[n - 1] == '\n' || said[n - 1] == ' ')) {
        n--;
    }
    said[n] = '\0';
    if (n > 0) {
        snprintf(state->text + at, TEXT_BYTES - at, "; it said: %s", said);
    }
    return FAILED;
}

static int failed(state_t *state, const char *how, int number)
{
    snprintf(state->text, TEXT_BYTES, "the program %s %d", how, number);
    return add_said(state);
}

static int too_long(state_t *state)
{
    return failed(state, "was killed after so many seconds:", (int)state->seconds);
}

/* How it has ended, unless with the code that is well. */
static int ended(state_t *state, int status, int well)
{
    if (WIFSIGNALED(status)) {
        return failed(state, "was ended by signal", WTERMSIG(status));
    }
    return WEXITSTATUS(status) == well ? 0 : failed(state, "ended with", WEXITSTATUS(status));
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Waits for the program; its whole group is killed when its time is over. */
static int wait_for(state_t *state, pid_t program)
{
    double end = now() + state->seconds;
    long pause = 200000;
    int status;
    for (;;) {
        struct timespec time = {0, 0};
        pid_t ended = waitpid(program, &status, WNOHANG);
        if (ended == program) {
            break;
        }
        if (ended < 0 && errno != EINTR) {
            return system_failed(state, "waitpid");
        }
        if (now() > end) {
            kill(-program, SIGKILL);
            waitpid(program, &status, 0);
            return too_long(state);
        }
        time.tv_nsec = pause;
        nanosleep(&time, NULL);
        pause = pause < 20000000 ? pause * 2 : pause;
    }
    return ended(state, status, 0);
}

/* Starts the command with up to three arguments; its input and output are these, or nothing where they are -1. */
static int start(state_t *state, const char *const *told, int input, int output, pid_t *program)
{
    char *arguments[] = {"sh", "-c", (char *)state->command, "sh", (char *)told[0], (char *)told[1], (char *)told[2], NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t as_usual;
    int error;
    posix_spawn_file_actions_init(&files);
    if (input < 0) {
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    } else {
        posix_spawn_file_actions_adddup2(&files, input, 0);
    }
    posix_spawn_file_actions_addopen(&files, 2, state->said, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, output < 0 ? 2 : output, 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigemptyset(&as_usual);
    sigaddset(&as_usual, SIGPIPE); /* the host ignores it */
    posix_spawnattr_setsigdefault(&attributes, &as_usual);
    error = posix_spawn(program, "/bin/sh", &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        errno = error;
        return system_failed(state, "/bin/sh");
    }
    return 0;
}

/* A pipe that programs do not inherit. */
static int make_pipe(int *ends)
{
    if (pipe(ends) != 0) {
        return -1;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return 0;
}

static int start_server(state_t *state)
{
    /* One at a time: the pipes of one are not to be inherited by another, which would keep them open. */
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    const char *const told[3] = {NULL, NULL, NULL};
    int in[2] = {-1, -1}, out[2] = {-1, -1}, code;
    pthread_mutex_lock(&one);
    if (make_pipe(in) != 0 || make_pipe(out) != 0) {
        code = system_failed(state, "pipe");
    } else {
        code = start(state, told, in[0], out[1], &state->server);
    }
    pthread_mutex_unlock(&one);
    close(in[0]);
    close(out[1]);
    state->to_server = in[1];
    state->from_server = out[0];
    if (code != 0) {
        close(in[1]);
        close(out[0]);
        state->server = 0;
    }
    return code;
}

/* Ends the server: it has a moment to do so itself when its input ends, unless it is killed at once. */
static int stop_server(state_t *state, double seconds)
{
    double end = now() + seconds;
    int status = 0;
    close(state->to_server);
    while (waitpid(state->server, &status, WNOHANG) == 0) {
        struct timespec time = {0, 5000000};
        if (now() >= end) {
            kill(-state->server, SIGKILL);
            waitpid(state->server, &status, 0);
            break;
        }
        nanosleep(&time, NULL);
    }
    close(state->from_server);
    kill(-state->server, SIGKILL); /* what it has started, too */
    state->server = 0;
    return status;
}

/* Reads a line of an answer: its length, 0 where the server has ended, -1 where the time is over. */
static int answer(state_t *state, char *line)
{
    double end = now() + state->seconds, left;
    int n = 0;
    while ((left = end - now()) > 0) {
        struct pollfd ready = {state->from_server, POLLIN, 0};
        char byte;
        if (poll(&ready, 1, left > 1 ? 1000 : (int)(left * 1000) + 1) <= 0) {
            continue;
        }
        if (read(state->from_server, &byte, 1) != 1) {
            return 0;
        }
        if (byte == '\n') {
            line[n] = '\0';
            return n + 1;
        }
        if (n < TEXT_BYTES / 2 - 1) {
            line[n++] = byte;
        }
    }
    return -1;
}

/* Has the server do a slice; it is started if need be. */
static int ask_server(state_t *state, const char *number)
{
    char line[2 * PATH_BYTES + 64], said[TEXT_BYTES / 2] = "";
    int code = state->server == 0 ? start_server(state) : 0;
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", state->in, state->out, number), n = 0;
    if (code != 0) {
        return code;
    }
    if (truncate(state->said, 0) != 0) { /* of this slice alone */
        return system_failed(state, state->said);
    }
    if (write(state->to_server, line, (size_t)length) == length) {
        n = answer(state, said);
    }
    if (n <= 0) {
        int status = stop_server(state, n == 0 ? 1 : 0);
        return n < 0 ? too_long(state) : ended(state, status, -1);
    }
    if (strcmp(said, "done") != 0 && strcmp(said, "skip") != 0) {
        snprintf(state->text, TEXT_BYTES, "the program says: %s", said);
        return add_said(state);
    }
    return strcmp(said, "skip") == 0 ? H5IO_SKIP : 0;
}

static int process(void *context, int64_t slice_number, int n_inputs, const h5io_dataspace_t *inputs, int n_outputs,
                   const h5io_dataspace_t *outputs)
{
    state_t *state = context;
    pid_t program = 0;
    char number[32];
    const char *const told[3] = {state->in, state->out, number};
    int code;
    (void)n_inputs;
    snprintf(number, sizeof number, "%lld", (long long)slice_number);
    unlink(state->out);
    code = write_slice(state, &inputs[0]);
    if (code == 0 && state->serve != NULL) {
        code = ask_server(state, number);
    } else if (code == 0) {
        code = start(state, told, -1, -1, &program);
        code = code == 0 ? wait_for(state, program) : code;
    }
    if (code == 0 && n_outputs == 1) {
        code = read_result(state, outputs[0].data);
    }
    unlink(state->in);
    unlink(state->out);
    if (state->server == 0) {
        unlink(state->said);
    }
    return code;
}

static int processing_complete(void *context)
{
    state_t *state = context;
    if (state->server != 0) {
        stop_server(state, 2);
        unlink(state->said);
    }
    free(state);
    return 0;
}

static const char *get_error_code(void *context, int error_code)
{
    switch (error_code) {
    case NO_MEMORY:
        return "no memory";
    case BAD_MAP:
        return "map=N,N,… has up to one number for each axis of the input, 0 to 32";
    case BAD_SHAPE:
        return "shape=N,N,… is the output's shape, with -1 for slicing axis 1; or folder is too long";
    case BAD_TYPE:
        return "type=NAME is int8 to uint64, float32 or float64, and the input is one of these";
    case NO_COMMAND:
        return "say command=… or serve=…: what is to be run";
    default:
        return context == NULL ? NULL : ((state_t *)context)->text;
    }
}

H5IO_LIBRARY(h5io_context, "external", "1.0")
