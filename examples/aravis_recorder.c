/*
 * Records a GenICam camera through Aravis (Debian: libaravis-dev): the camera's buffers are lent to the recorder, which encodes them in
 * threads and gives them back to the stream. A frame that came incomplete (packets of a network that were lost) or not at all keeps its
 * number: it is missing in the dataset, and `frame_status` says so. At the end Aravis' own counts and the recorder's are printed.
 *
 *   gcc -std=c11 -Wall -Wextra -Werror -I/usr/include/hdf5/serial -Iffi/include examples/aravis_recorder.c -o aravis_recorder \
 *       $(pkg-config --cflags --libs aravis-0.8) -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -Ltarget/release -ldarkchunk -lm
 *   ./aravis_recorder Fake_1 1000 run.h5 100
 *
 * `Fake_1` is a camera in the program itself. A GigE Vision camera without a camera: `arv-fake-gv-camera-0.8 -i 127.0.0.1 -s GV01`, and
 * `Aravis-Fake-GV01` here.
 */
#include <arv.h>
#include <hdf5.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <darkchunk.h>

enum { N_BUFFERS = 64, TIMEOUT_US = 2000000, LAST_US = 300000 };

static const char *PATH = "/entry/instrument/detector/data";

static void fail(const char *what, const char *why) {
    fprintf(stderr, "aravis_recorder: %s%s%s\n", what, why && *why ? ": " : "", why ? why : "");
    exit(1);
}

#define DC(call) do { if ((call) != DC_OK) fail(#call, dc_last_error()); } while (0)
#define H5(call) do { if ((call) < 0) fail(#call, "see HDF5's reasons above"); } while (0)

static void check(GError *error, const char *what) {
    if (error) fail(what, error->message);
}

/* What a frame has beside its pixels: no gaps. */
typedef struct row {
    uint64_t camera_ns; /* when the camera took it, by its own clock */
    uint64_t host_ns;   /* when its last packet came */
} row;

/* How the camera delivers pixels, and as what they are stored. */
typedef struct pixels {
    ArvPixelFormat format;
    int element;
    int delivered;
} pixels;

static pixels pixels_of(ArvCamera *camera) {
    static const pixels known[] = {
        {ARV_PIXEL_FORMAT_MONO_8, DC_UINT8, DC_FORMAT_MONO8},
        {0x010c0047, DC_UINT16, DC_FORMAT_MONO12P}, /* Mono12p, by its number in GenICam's list */
        {ARV_PIXEL_FORMAT_MONO_16, DC_UINT16, DC_FORMAT_MONO16},
    };
    GError *error = NULL;
    const char *name = arv_camera_get_pixel_format_as_string(camera, &error);
    ArvPixelFormat format = error ? 0 : arv_camera_get_pixel_format(camera, &error);
    check(error, "the camera's pixel format");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].format == format) return known[i];
    }
    fail("set the camera to Mono8, Mono12p or Mono16: it delivers", name);
    return known[0];
}

static ArvCamera *open_camera(const char *name) {
    GError *error = NULL;
    arv_enable_interface("Fake");
    ArvCamera *camera = arv_camera_new(name, &error);
    check(error, name);
    if (arv_camera_is_gv_device(camera)) {
        /* Packets by the system's sockets: needs no rights, and works over loopback. */
        arv_gv_device_set_stream_options(ARV_GV_DEVICE(arv_camera_get_device(camera)),
                                         ARV_GV_STREAM_OPTION_PACKET_SOCKET_DISABLED);
    }
    return camera;
}

static dc_recorder *make_recorder(hid_t file, ArvCamera *camera, const pixels *found, dc_release release, void *context) {
    static const dc_column columns[] = {{"camera_time", DC_UINT64, 0, "ns"}, {"host_time", DC_UINT64, 0, "ns"}};
    GError *error = NULL;
    gint x, y, width, height;
    arv_camera_get_region(camera, &x, &y, &width, &height, &error);
    check(error, "the camera's region");
    dc_chunk chunk = DC_CHUNK_INIT;
    chunk.element = found->element;
    chunk.filter = DC_BITSHUFFLE;
    chunk.height = (size_t)height;
    chunk.width = (size_t)width;
    dc_recorder_options options = DC_RECORDER_OPTIONS_INIT;
    options.format = found->delivered;
    options.columns = columns;
    options.n_columns = 2;
    options.release = release;
    options.release_context = context;
    const dc_hdf5 hdf5 = dc_hdf5_from_headers();
    dc_recorder *recorder = NULL;
    DC(dc_recorder_create(&hdf5, file, PATH, &chunk, 1, NULL, &options, &recorder));
    return recorder;
}

/* A buffer goes back to the stream, on whatever thread has encoded it. */
static void give_back(void *stream, void *buffer) {
    arv_stream_push_buffer(stream, buffer);
}

/* What came of the stream. */
typedef struct counts {
    uint64_t n_buffers;
    uint64_t n_complete;
    uint64_t n_incomplete;
    int64_t newest; /* the greatest number; -1: none */
    int64_t last;   /* the greatest that is stored */
    uint64_t newest_id;
} counts;

/* The number of a frame, from 0, by the camera's own, which older GigE Vision counts from 1 to 65535 and over again. */
static int64_t number_of(ArvBuffer *buffer, counts *found) {
    const int64_t id = (int64_t)arv_buffer_get_frame_id(buffer), period = 65535;
    if (found->newest < 0) {
        found->newest = 0;
        found->newest_id = (uint64_t)id;
        return 0;
    }
    int64_t step = id - (int64_t)found->newest_id;
    if (id <= period && step < -period / 2) step += period;
    if (id <= period && step > period / 2) step -= period;
    const int64_t number = found->newest + step;
    if (step > 0) {
        found->newest = number;
        found->newest_id = (uint64_t)id;
    }
    return number;
}

static void push(dc_recorder *recorder, uint64_t number, ArvStream *stream, ArvBuffer *buffer) {
    size_t n_bytes;
    const void *frame = arv_buffer_get_data(buffer, &n_bytes);
    const row beside = {arv_buffer_get_timestamp(buffer), arv_buffer_get_system_timestamp(buffer)};
    dc_status status = dc_recorder_push(recorder, number, frame, buffer, &beside, NULL);
    if (status == DC_NOT_STORED) {
        fprintf(stderr, "aravis_recorder: %s\n", dc_last_error()); /* it is held, and tried again */
    } else if (status != DC_OK) {
        arv_stream_push_buffer(stream, buffer);
        fail("a frame was not taken", dc_last_error());
    }
}

/* Records a complete frame, and counts one that is not. */
static void take(dc_recorder *recorder, ArvStream *stream, ArvBuffer *buffer, counts *found) {
    const int64_t number = number_of(buffer, found);
    found->n_buffers++;
    if (arv_buffer_get_status(buffer) != ARV_BUFFER_STATUS_SUCCESS || number < 0) {
        found->n_incomplete++;
        arv_stream_push_buffer(stream, buffer);
        return;
    }
    found->n_complete++;
    if (number > found->last) found->last = number;
    push(recorder, (uint64_t)number, stream, buffer);
}

static counts acquire(dc_recorder *recorder, ArvCamera *camera, ArvStream *stream, uint64_t n_frames) {
    counts found = {.newest = -1, .last = -1};
    GError *error = NULL;
    arv_camera_start_acquisition(camera, &error);
    check(error, "the acquisition");
    while (found.n_complete < n_frames) {
        ArvBuffer *buffer = arv_stream_timeout_pop_buffer(stream, TIMEOUT_US);
        if (!buffer) fail("the camera sends no frames", NULL);
        take(recorder, stream, buffer, &found);
    }
    arv_camera_stop_acquisition(camera, NULL);
    /* What was on its way. The camera in the program does not stop by itself. */
    ArvBuffer *buffer;
    while (arv_camera_is_gv_device(camera) && (buffer = arv_stream_timeout_pop_buffer(stream, LAST_US))) {
        take(recorder, stream, buffer, &found);
    }
    return found;
}

/* What the stream has counted itself, by its own name; 0 where it does not count that. */
static uint64_t source(ArvStream *stream, const char *name) {
    for (guint i = 0; i < arv_stream_get_n_infos(stream); i++) {
        if (strcmp(arv_stream_get_info_name(stream, i), name) == 0) return arv_stream_get_info_uint64(stream, i);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 4) fail("give a camera, a number of frames, a file and, if you like, frames a second", NULL);
    const uint64_t n_frames = strtoull(argv[2], NULL, 10);
    ArvCamera *camera = open_camera(argv[1]);
    const pixels found = pixels_of(camera);
    GError *error = NULL;
    if (argc > 4) arv_camera_set_frame_rate(camera, atof(argv[4]), &error);
    check(error, "the frame rate");
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5(H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V110));
    hid_t file = H5Fcreate(argv[3], H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5(file);

    ArvStream *stream = arv_camera_create_stream(camera, NULL, NULL, &error);
    check(error, "the camera's stream");
    const guint payload = arv_camera_get_payload(camera, &error);
    check(error, "the camera's payload");
    for (int i = 0; i < N_BUFFERS; i++) arv_stream_push_buffer(stream, arv_buffer_new_allocate(payload));
    dc_recorder *recorder = make_recorder(file, camera, &found, give_back, stream);
    const counts got = acquire(recorder, camera, stream, n_frames);

    DC(dc_recorder_finish(recorder));
    dc_recorder_statistics made = {.size = sizeof made};
    DC(dc_recorder_statistics_of(recorder, &made));
    dc_recorder_free(recorder); /* gives the last buffers back */
    H5(H5Fclose(file));
    printf("{\"stored\": %llu, \"missing\": %llu, \"incomplete\": %llu, \"lost\": %lld, \"after_last\": %lld, "
           "\"source_completed\": %llu, \"source_incomplete\": %llu, \"source_gaps\": %llu}\n",
           (unsigned long long)made.n_stored, (unsigned long long)made.n_missing, (unsigned long long)got.n_incomplete,
           (long long)(got.newest + 1 - (int64_t)got.n_buffers), (long long)(got.newest - got.last),
           (unsigned long long)source(stream, "n_completed_buffers"), (unsigned long long)source(stream, "n_failures"),
           (unsigned long long)source(stream, "n_missing_frames"));
    g_object_unref(stream);
    g_object_unref(camera);
    return made.n_stored >= n_frames ? 0 : 1;
}
