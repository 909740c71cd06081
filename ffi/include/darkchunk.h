/*
 * darkchunk: HDF5 compression for detectors and cameras.
 *
 * Link with -ldarkchunk. The library links no HDF5. Four ways to write, from bare to complete:
 *
 *   dc_encode_chunk   one chunk from an array of frames; the program calls H5Dwrite_chunk itself
 *   dc_encoder        chunk after chunk in the same memory, with DRLE without copying a frame; the same
 *   dc_writer         the whole recording: makes the dataset, writes the chunks, stores sum, dark image and counts,
 *                     with the HDF5 functions of the program (include hdf5.h before this file)
 *
 *   dc_recorder       the same for frames that come in any order: by their number, in several threads, with metadata
 *
 * And to read: dc_reader, any part of a dataset with several threads, beside the program's HDF5; dc_decode_pipeline, one chunk.
 *
 * Conventions. A chunk is n_frames frames of height rows of width elements, frame by frame, row by row, without gaps,
 * in the machine's byte order. Sizes called n_bytes and *_len are in bytes, n_pixels and *_pixels in elements. Every
 * function that can fail returns a dc_status, and writes its outputs on DC_OK only. dc_last_error() then has the
 * reason, with the numbers. Pointers are not NULL unless said. A struct begins with its own size: use the INIT macros,
 * or set `size`. Different objects may be used by different threads at the same time, one object by one at a time.
 *
 * Threads are started only where n_threads asks for more than one, and are gone when the function returns (those of a dc_reader
 * when it is freed, or some seconds after its last read; those of a dc_recorder when it is finished). They share the
 * parts of a large chunk: blocks of bitshuffle, Blosc and LZ4, and in decoding the frames of DRLE. In encoding, DRLE shares the
 * rows of frames that are pushed several at once; one alone is the calling thread's. What is stored is the same with any
 * number.
 */
#ifndef DARKCHUNK_H
#define DARKCHUNK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; dc_version() is the library's. Before 1.0 a minor version may change what is there. */
#define DC_VERSION_MAJOR 0
#define DC_VERSION_MINOR 1
#define DC_VERSION_PATCH 0
#define DC_VERSION "0.1.0"

/* The numbers are for ever. */
typedef enum dc_status {
    DC_OK = 0,
    DC_NULL = 1,        /* a pointer is NULL that must not be */
    DC_ARGUMENT = 2,    /* an argument or a filter parameter means nothing */
    DC_BUFFER_SIZE = 3, /* a buffer is too small, or has not the size its shape says */
    DC_DAMAGED = 4,     /* a chunk is damaged */
    DC_WRONG_SIZE = 5,  /* a chunk decodes to another size than the dataset's chunks have */
    DC_TOO_BRIGHT = 6,  /* a pixel above 32767, which a bare DRLE stream cannot hold; the frame was not taken */
    DC_UNSUPPORTED = 7, /* what was asked for does not exist for this type, shape, file or dataset */
    DC_HDF5 = 8,        /* an HDF5 function failed; the message is HDF5's */
    DC_NOT_STORED = 9,  /* dc_writer, dc_recorder: HDF5 refused a chunk or a flush. The frames of the call were taken, all of them: do not
                           push them again. What is not stored is held in memory, and tried again by the next call */
    DC_PANIC = 10,      /* a bug in darkchunk; free the object, and report it */
    DC_NOT_TAKEN = 11,  /* dc_writer, dc_recorder: a full chunk is held that HDF5 still refuses, or a flush failed, before a frame was taken:
                           push it again (dc_writer_push_frames: those after the ones that dc_summary's n_pushed counts) */
    DC_MISSING = 12,    /* dc_reader: a chunk was never stored, and DC_MISSING_ERROR was asked for */
    DC_READ = 13,       /* dc_reader: the bytes of a chunk cannot be read from the file; the message is the system's */
    DC_OTHER = 99
} dc_status;

/* Why the last call on this thread failed; "" if none did. Valid until the next failure on this thread. */
const char *dc_last_error(void);

/* "major.minor.patch". */
const char *dc_version(void);

/* The instruction sets in use: "scalar", "sse41", "avx2", "avx512" or "neon". DARKCHUNK_MAX_LEVEL lowers it. */
const char *dc_level(void);

typedef enum dc_element {
    DC_INT8 = 1,
    DC_UINT8 = 2,
    DC_INT16 = 3,
    DC_UINT16 = 4,
    DC_INT32 = 5,
    DC_UINT32 = 6
} dc_element;

/* HDF5 filter numbers, and the parameters (cd_values) a caller gives:
 *   DC_DRLE        threshold (1 to 32767); then 2: packed, about half as large and slower; int16 and uint16 only
 *   DC_BITSHUFFLE  block elements (0 = default), 0 none or 2 LZ4 (default) or 3 Zstd, level for Zstd
 *   DC_BLOSC       level 0-9, 0 none or 1 byte or 2 bit shuffle, 0 blosclz, 1 lz4, 2 lz4hc, 3 snappy, 4 zlib, 5 zstd;
 *                  or the same after 0, 0, 0, 0
 *   DC_LZ4         block bytes (0 or nothing = 1 GiB)
 *   DC_ZSTD        level
 *   DC_BOUNDED     nothing: exact; or 1, counts; or 2, n, d: steps of n / d standard deviations of a photon counter's noise; of
 *                  float32 also 3, or 4 for a share of the range of a chunk's values, and the lower and the upper half of a double; more
 *                  in filters/README.md
 */
enum { DC_NO_FILTER = 0, DC_DRLE = 36114, DC_BITSHUFFLE = 32008, DC_BLOSC = 32001, DC_LZ4 = 32004, DC_ZSTD = 32015,
       DC_BOUNDED = 36115 };

/* What a chunk is. */
typedef struct dc_chunk {
    size_t size;            /* sizeof(dc_chunk) */
    int element;            /* a dc_element */
    uint32_t filter;        /* one of the above */
    const uint32_t *values; /* the filter's parameters, as a caller gives them or as they are stored */
    size_t n_values;
    size_t n_frames;        /* shape of the chunk */
    size_t height;
    size_t width;
} dc_chunk;

#define DC_CHUNK_INIT {sizeof(dc_chunk), 0, DC_NO_FILTER, NULL, 0, 1, 0, 0}

/* What is done to each frame before it is stored. All but the first field may be 0: that is the default. */
typedef struct dc_processing {
    size_t size;          /* sizeof(dc_processing) */
    const void *dark;     /* subtracted from each frame, without wrapping; one frame; copied. int16 and uint16 only */
    uint32_t threshold;   /* smaller values become 0, 1 to 32767. int16 and uint16 only. DRLE brings its own */
    int no_sum;           /* not 0: keep no sum of all frames (kept for int16 and uint16) */
    uint64_t flush_frames;/* dc_writer: flush the file after this many frames; 0: not by number */
    double flush_seconds; /* dc_writer: flush the file after this time; 0: after one second; DC_FLUSH_NEVER: not by time */
    size_t n_threads;     /* threads that encode a chunk, the calling one among them; 0 and 1: that one alone */
} dc_processing;

#define DC_PROCESSING_INIT {sizeof(dc_processing), NULL, 0, 0, 0, 1.0, 0}

/* Seconds that no recording lasts. */
#define DC_FLUSH_NEVER 1e300

/* What became of the pixels. */
typedef struct dc_counts {
    uint64_t n_bright;    /* stored with another value than 0 */
    uint64_t n_zeroed;    /* not 0 after dark subtraction, and stored as 0 */
    int64_t zeroed_sum;   /* the sum of those: what was lost */
    uint64_t n_saturated; /* held at the limit of the type by dark subtraction */
    uint64_t n_sentinels; /* no measurements, kept as they are; in none of the other numbers, nor in the sum */
} dc_counts;

/* ---- whole chunks ------------------------------------------------------------------------------------------------ */

/* Parameters that a dataset can have at most. */
#define DC_MAX_VALUES 32

/* The parameters exactly as they are stored in the file: give them to H5Pset_filter, with H5Z_FLAG_OPTIONAL so that
 * the dataset can be created where no plugin is installed. `values` has room for `capacity`. */
dc_status dc_cd_values(const dc_chunk *chunk, uint32_t *values, size_t capacity, size_t *n_values);

/* Bytes that are enough for any encoded chunk. */
dc_status dc_max_encoded_len(const dc_chunk *chunk, size_t *n_bytes);

/* Encodes one chunk from `n_frames` pointers to frames, which need not be contiguous; those that are missing to
 * chunk->n_frames are padded with zeros. `with` may be NULL. `sum` may be NULL, or is height * width numbers that are
 * increased by the stored pixels; it holds 65536 frames. `counts` may be NULL. Allocates: see dc_encoder. */
dc_status dc_encode_chunk(const dc_chunk *chunk, const dc_processing *with, const void *const *frames, size_t n_frames,
                          uint32_t *sum, void *dst, size_t dst_len, size_t *n_bytes, dc_counts *counts);

/* Decodes one chunk into the whole of `dst`, whose dst_len bytes are those of the chunk. Any `src` is safe. On an error
 * the content of `dst` is unspecified. */
dc_status dc_decode_chunk(const dc_chunk *chunk, const void *src, size_t src_len, void *dst, size_t dst_len);

/* The same with up to `n_threads` threads, the calling one among them; 0 and 1: that one alone. */
dc_status dc_decode_chunk_with(const dc_chunk *chunk, size_t n_threads, const void *src, size_t src_len, void *dst,
                               size_t dst_len);

/* ---- whole chunks of any shape and type -------------------------------------------------------------------------- */

/* A chunk of any number of dimensions and any element type of fixed size, in the file's byte order: what HDF5 hands to a
 * filter. */
typedef struct dc_array {
    size_t size;            /* sizeof(dc_array) */
    uint32_t filter;        /* DC_DRLE to DC_ZSTD */
    const uint32_t *values; /* the filter's parameters; for decoding, as they are stored */
    size_t n_values;
    int number;             /* 1 unsigned integer, 2 signed integer, 3 float32, 0 anything else */
    int is_big_endian;      /* of an integer or a float32 */
    size_t element_bytes;
    size_t base_bytes;      /* of what an array type is made of; of any other type the same as element_bytes */
    const uint64_t *dims;   /* slowest first, none of them 0 */
    size_t n_dims;
    size_t n_threads;       /* 0 and 1: the calling one alone */
} dc_array;

#define DC_ARRAY_INIT {sizeof(dc_array), DC_NO_FILTER, NULL, 0, 0, 0, 0, 0, NULL, 0, 1}

/* As dc_cd_values, dc_max_encoded_len, dc_encode_chunk and dc_decode_chunk_with. `src` and `dst` have no alignment to keep. */
dc_status dc_array_cd_values(const dc_array *array, uint32_t *values, size_t capacity, size_t *n_values);
dc_status dc_array_max_encoded_len(const dc_array *array, size_t *n_bytes);
dc_status dc_array_encode(const dc_array *array, const void *src, size_t src_len, void *dst, size_t dst_len,
                          size_t *n_bytes);
dc_status dc_array_decode(const dc_array *array, const void *src, size_t src_len, void *dst, size_t dst_len);

/* ---- chunk after chunk ------------------------------------------------------------------------------------------- */

typedef struct dc_encoder dc_encoder;

/* The program writes the chunks itself. Two things of H5Dwrite_chunk that dc_writer takes care of:
 *
 *   When it fails for a new chunk (a full disk), HDF5 remembers the chunk as if it were stored. A second try then succeeds, but
 *   the chunk is in no index; and to shrink the dataset removes the chunk before it. So first extend the dataset by one
 *   chunk more, ask for that (H5Dget_chunk_storage_size, whatever it returns), and set the extent back.
 *   In a file that is open with MPI-IO it reports success on every rank, and the chunks of one rank are kept. */

/* `with` may be NULL. The encoder has the memory of one or two chunks, and keeps it. With DRLE (not bare) a frame that is
 * pushed in one piece allocates nothing more. */
dc_status dc_encoder_new(const dc_chunk *chunk, const dc_processing *with, dc_encoder **encoder);

/* Takes a frame: height * width elements. On an error the chunk is as it was. */
dc_status dc_encoder_push(dc_encoder *encoder, const void *frame);

/* Takes several frames, given by an array of pointers to them, in their order: the same as dc_encoder_push of each, but
 * faster with DRLE, for those of a chunk share what is fetched of the dark image and the sum. On an error the frames
 * before the one that is refused are in the chunk, and none after it: see dc_encoder_n_frames. DC_NULL, for a pointer in the
 * array as well: none is. */
dc_status dc_encoder_push_frames(dc_encoder *encoder, const void *const *frames, size_t n_frames);

/* Takes a frame that lies in several pieces, in their order; strip i has strip_pixels[i] elements. */
dc_status dc_encoder_push_strips(dc_encoder *encoder, const void *const *strips, const size_t *strip_pixels,
                                 size_t n_strips);

/* Frames in the chunk. */
dc_status dc_encoder_n_frames(const dc_encoder *encoder, size_t *n_frames);

/* The chunk as it is to be stored, padded with zeros if frames are missing. Valid until the next call with this
 * encoder. More frames may follow, or dc_encoder_clear. */
dc_status dc_encoder_chunk(dc_encoder *encoder, const void **bytes, size_t *n_bytes);

/* Begins the next chunk. Sum and counts go on. */
dc_status dc_encoder_clear(dc_encoder *encoder);

/* Of all frames so far. The sum is valid until the next call with this encoder. */
dc_status dc_encoder_counts(const dc_encoder *encoder, dc_counts *counts);
dc_status dc_encoder_sum(dc_encoder *encoder, const int64_t **sum, size_t *n_pixels);

/* NULL is allowed. */
void dc_encoder_free(dc_encoder *encoder);

/* ---- the whole recording ----------------------------------------------------------------------------------------- */

typedef void (*dc_function)(void);

/* The HDF5 functions that writer and reader call, in the order of the table. */
#define DC_HDF5_FUNCTIONS(X) \
    X(H5open) X(H5get_libversion) X(H5Eget_auto2) X(H5Eset_auto2) X(H5Eclear2) X(H5Ewalk2) X(H5Iget_type) \
    X(H5Iget_file_id) X(H5Idec_ref) X(H5Fcreate) X(H5Fopen) X(H5Fflush) X(H5Fget_intent) X(H5Gcreate2) X(H5Oopen) \
    X(H5Olink) X(H5Lexists) X(H5Dcreate2) X(H5Dcreate_anon) X(H5Dget_space) X(H5Dget_type) X(H5Dget_create_plist) \
    X(H5Dset_extent) X(H5Dread) X(H5Dwrite) X(H5Dwrite_chunk) X(H5Dget_chunk_storage_size) X(H5Screate) \
    X(H5Screate_simple) X(H5Sget_simple_extent_ndims) X(H5Sget_simple_extent_dims) X(H5Pcreate) \
    X(H5Pset_libver_bounds) X(H5Pset_create_intermediate_group) X(H5Pget_layout) X(H5Pset_chunk) X(H5Pget_chunk) \
    X(H5Pget_chunk_opts) X(H5Pset_filter) X(H5Pget_nfilters) X(H5Pget_filter2) X(H5Tcopy) X(H5Tset_size) \
    X(H5Tset_cset) X(H5Tget_class) X(H5Tget_size) X(H5Tget_sign) X(H5Tget_order) X(H5Aexists) X(H5Acreate2) X(H5Aopen) \
    X(H5Aget_space) X(H5Aread) X(H5Awrite) X(H5Adelete)

#define DC_FIELD(name) dc_function fn_##name;

/* Functions and identifiers of the HDF5 (1.10.3 or later) that the program uses. Fill it with dc_hdf5_from_headers. A program
 * compiled with an earlier header has a shorter table: then what needs the functions at its end is left out. Without
 * H5Oget_info2 and H5Oget_info3 a second writer on a dataset is not noticed, without H5Fget_mpi_atomicity (which only an HDF5
 * for MPI has) a file that is open with MPI-IO is not refused, and without H5Pset_alloc_time and H5Pset_fill_time room is
 * not proved before a chunk is written again. */
typedef struct dc_hdf5 {
    size_t size;        /* sizeof(dc_hdf5) */
    void (*enter)(void);/* called before each use of HDF5, or NULL: a lock that one thread may take again */
    void (*leave)(void);/* called after it, or NULL */
    int64_t native_int8, native_uint8, native_int16, native_uint16, native_int32, native_uint32, native_int64,
        native_uint64, native_float, native_double, c_s1, file_access, dataset_create, link_create;
    DC_HDF5_FUNCTIONS(DC_FIELD)
    dc_function fn_H5Dread_chunk;  /* before HDF5 2.0, or NULL */
    dc_function fn_H5Dread_chunk2; /* since HDF5 2.0, or NULL */
    dc_function fn_H5Pmodify_filter;
    dc_function fn_H5Tdetect_class;
    dc_function fn_H5Tget_precision;
    dc_function fn_H5Tget_super;
    dc_function fn_H5Tis_variable_str;
    dc_function fn_H5Tget_nmembers;
    dc_function fn_H5Tget_member_type;
    dc_function fn_H5Fget_create_plist;
    dc_function fn_H5Pget_sizes;
    dc_function fn_H5Pset_chunk_opts;
    dc_function fn_H5Pset_alloc_time;
    dc_function fn_H5Pset_fill_time;
    dc_function fn_H5Oget_info2;         /* before HDF5 1.12, or NULL */
    dc_function fn_H5Oget_info3;         /* since HDF5 1.12, or NULL */
    dc_function fn_H5Fget_mpi_atomicity; /* where HDF5 is built for MPI, or NULL */
    dc_function fn_H5Pfill_value_defined;
    dc_function fn_H5Pget_fill_value;
    dc_function fn_H5Pget_fill_time;
    dc_function fn_H5Pget_external_count;
    dc_function fn_H5Pget_userblock;
    dc_function fn_H5Pget_driver;
    dc_function fn_H5Pset_fapl_sec2;
    dc_function fn_H5Fget_access_plist;
    dc_function fn_H5Fget_vfd_handle;
    dc_function fn_H5Fget_name;
    dc_function fn_H5Sselect_hyperslab;
    dc_function fn_H5Dget_offset;
    dc_function fn_H5Drefresh;
    dc_function fn_H5Dget_num_chunks; /* since HDF5 1.10.5, or NULL */
    dc_function fn_H5Dget_chunk_info; /* since HDF5 1.10.5, or NULL */
    dc_function fn_H5Dget_chunk_index_type;
    dc_function fn_H5Dchunk_iter;     /* since HDF5 1.12.3 and 1.14.0, or NULL */
    dc_function fn_H5Dget_chunk_info_by_coord; /* since HDF5 1.10.5, or NULL */
    dc_function fn_H5Pget_virtual_count;
    dc_function fn_H5Pget_virtual_vspace;
    dc_function fn_H5Pget_virtual_srcspace;
    dc_function fn_H5Pget_virtual_filename;
    dc_function fn_H5Pget_virtual_dsetname;
    dc_function fn_H5Pget_virtual_prefix;
    dc_function fn_H5Dget_access_plist;
    dc_function fn_H5Sget_select_type;
    dc_function fn_H5Sis_regular_hyperslab;
    dc_function fn_H5Sget_regular_hyperslab;
    dc_function fn_H5Tequal;
    dc_function fn_H5Pset_fill_value;
    dc_function fn_H5Fget_filesize;
    dc_function fn_H5Iget_name;
    dc_function fn_H5Fstart_swmr_write;
    dc_function fn_H5Pset_virtual;
    dc_function fn_H5Fget_obj_ids;
} dc_hdf5;

#undef DC_FIELD

#if defined(H5_VERSION_GE)
#define DC_SET(name) table.fn_##name = (dc_function)name;

/* The table of the HDF5 that this program is compiled and linked with. */
static inline dc_hdf5 dc_hdf5_from_headers(void) {
    dc_hdf5 table;
    table.size = sizeof table;
    table.enter = NULL;
    table.leave = NULL;
    table.native_int8 = H5T_NATIVE_INT8;
    table.native_uint8 = H5T_NATIVE_UINT8;
    table.native_int16 = H5T_NATIVE_INT16;
    table.native_uint16 = H5T_NATIVE_UINT16;
    table.native_int32 = H5T_NATIVE_INT32;
    table.native_uint32 = H5T_NATIVE_UINT32;
    table.native_int64 = H5T_NATIVE_INT64;
    table.native_uint64 = H5T_NATIVE_UINT64;
    table.native_float = H5T_NATIVE_FLOAT;
    table.native_double = H5T_NATIVE_DOUBLE;
    table.c_s1 = H5T_C_S1;
    table.file_access = H5P_FILE_ACCESS;
    table.dataset_create = H5P_DATASET_CREATE;
    table.link_create = H5P_LINK_CREATE;
    DC_HDF5_FUNCTIONS(DC_SET)
    table.fn_H5Dread_chunk = NULL;
    table.fn_H5Dread_chunk2 = NULL;
#if H5_VERSION_GE(2, 0, 0)
    table.fn_H5Dread_chunk2 = (dc_function)H5Dread_chunk2;
#else
    table.fn_H5Dread_chunk = (dc_function)H5Dread_chunk;
#endif
    DC_SET(H5Pmodify_filter)
    DC_SET(H5Tdetect_class)
    DC_SET(H5Tget_precision)
    DC_SET(H5Tget_super)
    DC_SET(H5Tis_variable_str)
    DC_SET(H5Tget_nmembers)
    DC_SET(H5Tget_member_type)
    DC_SET(H5Fget_create_plist)
    DC_SET(H5Pget_sizes)
    DC_SET(H5Pset_chunk_opts)
    DC_SET(H5Pset_alloc_time)
    DC_SET(H5Pset_fill_time)
    table.fn_H5Oget_info2 = NULL;
    table.fn_H5Oget_info3 = NULL;
#if H5_VERSION_GE(1, 12, 0)
    DC_SET(H5Oget_info3)
#else
    DC_SET(H5Oget_info2)
#endif
    table.fn_H5Fget_mpi_atomicity = NULL;
#if defined(H5_HAVE_PARALLEL)
    DC_SET(H5Fget_mpi_atomicity)
#endif
    DC_SET(H5Pfill_value_defined)
    DC_SET(H5Pget_fill_value)
    DC_SET(H5Pget_fill_time)
    DC_SET(H5Pget_external_count)
    DC_SET(H5Pget_userblock)
    DC_SET(H5Pget_driver)
    DC_SET(H5Pset_fapl_sec2)
    DC_SET(H5Fget_access_plist)
    DC_SET(H5Fget_vfd_handle)
    DC_SET(H5Fget_name)
    DC_SET(H5Sselect_hyperslab)
    DC_SET(H5Dget_offset)
    DC_SET(H5Drefresh)
    DC_SET(H5Dget_chunk_index_type)
    DC_SET(H5Pget_virtual_count)
    DC_SET(H5Pget_virtual_vspace)
    DC_SET(H5Pget_virtual_srcspace)
    DC_SET(H5Pget_virtual_filename)
    DC_SET(H5Pget_virtual_dsetname)
    DC_SET(H5Pget_virtual_prefix)
    DC_SET(H5Dget_access_plist)
    DC_SET(H5Sget_select_type)
    DC_SET(H5Sis_regular_hyperslab)
    DC_SET(H5Sget_regular_hyperslab)
    DC_SET(H5Tequal)
    table.fn_H5Dget_num_chunks = NULL;
    table.fn_H5Dget_chunk_info = NULL;
    table.fn_H5Dchunk_iter = NULL;
    table.fn_H5Dget_chunk_info_by_coord = NULL;
#if H5_VERSION_GE(1, 10, 5)
    DC_SET(H5Dget_num_chunks)
    DC_SET(H5Dget_chunk_info)
    DC_SET(H5Dget_chunk_info_by_coord)
#endif
#if H5_VERSION_GE(1, 14, 0) || (H5_VERSION_GE(1, 12, 3) && !H5_VERSION_GE(1, 13, 0))
    DC_SET(H5Dchunk_iter)
#endif
    DC_SET(H5Pset_fill_value)
    DC_SET(H5Fget_filesize)
    DC_SET(H5Iget_name)
    DC_SET(H5Fstart_swmr_write)
    DC_SET(H5Pset_virtual)
    DC_SET(H5Fget_obj_ids)
    return table;
}

#undef DC_SET
#endif

/* Fills the table by the names in an HDF5 (1.10.3 or later). Before the call, set hdf5->size = sizeof(dc_hdf5): no more is
 * written. One of:
 *   handle   what dlopen or LoadLibrary gave for the HDF5 itself, or (not on Windows) for a library that needs it, such as
 *            h5py's module h5d. `path` is NULL. It is never closed, neither by darkchunk nor by the caller.
 *   path     the file of an HDF5, which is loaded if it is not in the process, and stays. `handle` is NULL.
 *   neither  the first that is found: one in the process, DARKCHUNK_HDF5, h5py's, the system's, conda's.
 * enter and leave are set to a lock that all tables filled by this function share. It knows nothing of other users of the
 * same HDF5: whoever has a lock for those (h5py: h5py._objects.phil) holds it around each call that uses the table, or puts
 * its own functions into enter and leave. DC_UNSUPPORTED: no HDF5 that can be used; the message says what was tried. */
dc_status dc_hdf5_load(const char *path, void *handle, dc_hdf5 *hdf5);

/* sizeof(dc_hdf5) of this library, for callers without a C compiler: the first field is this size_t, then the two pointers
 * enter and leave; the rest need not be known. */
size_t dc_hdf5_size(void);

typedef struct dc_writer dc_writer;

/* What a writer has done. */
typedef struct dc_summary {
    uint64_t n_pushed;     /* frames taken */
    uint64_t n_stored;     /* frames in the dataset, with those that were there before */
    uint64_t n_flushed;    /* frames that a crash of the process cannot lose any more; but see dc_writer_flush */
    uint64_t stored_bytes; /* bytes of the chunks written */
    uint64_t n_counted;    /* frames that the counts are of */
    dc_counts counts;
} dc_summary;

/* Makes the dataset `path`, (frames, height, width) without a limit on the frames, below the file or group `at` (a hid_t),
 * with chunks as `chunk` says. `nexus`: not 0 makes the NeXus groups that let viewers show it, with a path like
 * "/entry/instrument/detector/data". `with` may be NULL. Dark image, threshold and filter parameters are stored beside it
 * (`path` with "_darkchunk" appended), and the file is flushed: from here on, a crash leaves a file that opens. HDF5 is
 * called on the calling thread only; where it is not thread-safe, the program must not call it from another thread at the
 * same time. DC_UNSUPPORTED: also for a file that is open for reading only, or with MPI-IO (where HDF5 keeps the chunks of
 * one rank only, and reports success to all). DC_HDF5: the dataset may be there, without frames: attach to it. */
dc_status dc_writer_create(const dc_hdf5 *hdf5, int64_t at, const char *path, const dc_chunk *chunk, int nexus,
                           const dc_processing *with, dc_writer **writer);

/* Goes on with a dataset that is there, after its last frame. `with` may be NULL; its dark image, if any, has
 * n_dark_pixels elements. DC_UNSUPPORTED: also where another dc_writer of this process writes to the dataset, if the table
 * has H5Oget_info2 or H5Oget_info3. */
dc_status dc_writer_attach(const dc_hdf5 *hdf5, int64_t at, const char *path, int element, size_t n_dark_pixels,
                           const dc_processing *with, dc_writer **writer);

/* Takes a frame, height * width elements.
 *
 *   DC_OK                           it was taken: it is in the file, or in a chunk that is not full yet
 *   DC_NOT_STORED                   it was taken, and is held: go on with the next frame
 *   DC_NOT_TAKEN                    it was not: make room, or wait, and push it again
 *   DC_TOO_BRIGHT, DC_BUFFER_SIZE   it was not, for a fault of its own; the next one may be
 *   DC_UNSUPPORTED                  it was not: the dataset may not have more frames
 *
 * examples/record.c has the loop. Frames are lost where DC_NOT_TAKEN is taken for DC_NOT_STORED. */
dc_status dc_writer_push(dc_writer *writer, const void *frame);

/* The same, and overwrites the frame with what is stored: dark image subtracted, threshold applied. */
dc_status dc_writer_push_in_place(dc_writer *writer, void *frame);

/* Takes several frames, given by an array of pointers to them, in their order: the same as dc_writer_push of each, but
 * faster with DRLE, for those of a chunk share what is loaded of the dark image and the sum. n_pushed in dc_summary says in
 * every case how many were taken: none that is after the refused one. DC_NOT_STORED: all were. DC_NOT_TAKEN: not all; push
 * the others again. DC_TOO_BRIGHT: those before the one that is too bright. DC_UNSUPPORTED: as many as the dataset may have.
 * DC_NULL, for a pointer in the array as well: none. */
dc_status dc_writer_push_frames(dc_writer *writer, const void *const *frames, size_t n_frames);

/* The same, and overwrites each frame that is taken with what is stored, as dc_writer_push_in_place. No two may share memory. */
dc_status dc_writer_push_frames_in_place(dc_writer *writer, void *const *frames, size_t n_frames);

/* Takes a frame that lies in several pieces, in their order; strip i has strip_pixels[i] elements. */
dc_status dc_writer_push_strips(dc_writer *writer, const void *const *strips, const size_t *strip_pixels,
                                size_t n_strips);

/* Stores and flushes all frames that were taken, also in a chunk that is not full. Such a chunk is written again, and
 * flushed, when it is full: a crash between the two can cost the frames of this one chunk. DC_NOT_STORED: call it again.
 *
 * What a crash leaves in the default file format: every frame up to the last flush, in a file that opens as usual. One
 * gap is HDF5's: a kill (or a full disk, on which the program gives up) within a flush that splits a node of the dataset's
 * index, one flush of some dozens, can leave a file that does not open. */
dc_status dc_writer_flush(dc_writer *writer);

/* Stores all frames, and beside them (`path` with "_darkchunk" appended) the sum; then flushes. The counts are stored with
 * flushes, at most ten times a second. May be called again, and more frames may follow. DC_NOT_STORED: call it again. */
dc_status dc_writer_finish(dc_writer *writer);

dc_status dc_writer_summary(const dc_writer *writer, dc_summary *summary);

/* The sum of all frames so far, height * width numbers, valid until the next call with this writer. */
dc_status dc_writer_sum(dc_writer *writer, const int64_t **sum, size_t *n_pixels);

/* Finishes what can be finished, and ends the writer. Call it before the file is closed. NULL is allowed. */
void dc_writer_free(dc_writer *writer);

/* ---- the recorder ------------------------------------------------------------------------------------------------- */

/* Frames by their number, in any order, with losses and doubles: encoded in threads that live as long as the recorder, in bounded
 * memory, and written each to its place. Frame `number` has the index number - first_number in the dataset; those that never come
 * stay the fill value. Beside the dataset (`path` with "_darkchunk" appended) are dark image, sum, counts, the columns, and
 * frame_status: 0 missing, 1 written, 2 vetoed, 3 dropped, 4 refused, 6 lost.
 *
 * Where the disk is full, reserve_bytes are given back, and all that is stored is flushed with them: the message says how many frames are
 * safe. What is held is tried again once there is room for another reserve.
 *
 * HDF5 is called by dc_recorder_create, push, poll, flush, finish, abandon and free, on the calling thread; with writer_thread on one of the
 * recorder's own, between create and the end of finish, and nobody else may call it meanwhile, unless the table has a lock. One
 * thread pushes, polls, flushes and finishes; a second one in such a call at the same time is told so (DC_ARGUMENT).
 * dc_recorder_statistics_of, _fault, _released, _live_sum, _last_frame and _preview may be called by any thread at any time. After a fork only the parent can record. */
typedef struct dc_recorder dc_recorder;

/* What became of a frame that was pushed. The numbers are for ever. */
enum { DC_TAKEN = 0, DC_DROPPED = 1, DC_DUPLICATE = 2, DC_LATE = 3, DC_OUT_OF_RANGE = 4 };

/* What is done where max_bytes is not enough: push waits, and helps to encode; or the frame is dropped and counted. */
enum { DC_POLICY_BLOCK = 0, DC_POLICY_DROP = 1 };

/* How pixels are delivered, by GenICam's names: 8 bits to 8 or 16; 12 bits, two pixels in three bytes, to 16; 16 bits to uint16. */
enum { DC_FORMAT_NATIVE = 0, DC_FORMAT_MONO8 = 1, DC_FORMAT_MONO12P = 2, DC_FORMAT_MONO16 = 3 };

/* Numbers that columns are made of, beside those of dc_element. */
enum { DC_INT64 = 7, DC_UINT64 = 8, DC_FLOAT32 = 9, DC_FLOAT64 = 10 };

/* A number, or a vector of them, that each frame has beside its pixels. */
typedef struct dc_column {
    const char *name;  /* a name, or a path from the root such as "/entry/sample/rotation_angle" */
    int number;        /* a dc_element or one of the above */
    size_t n;          /* numbers a frame of a vector; 0: a single number */
    const char *units; /* may be NULL */
} dc_column;

/* What is measured of a frame as it would be stored, without sentinels. */
typedef struct dc_measures {
    int64_t sum;
    uint64_t n_bright; /* pixels other than 0 */
    int64_t maximum;
} dc_measures;

/*
 * Says whether a frame is stored (not 0). Called by all workers, for several frames at the same time. It must not call the recorder, which
 * would wait for itself.
 */
typedef int (*dc_keep)(void *context, uint64_t number, const dc_measures *measures);

/* Gives a buffer back. Called on any thread; it must not call the recorder. */
typedef void (*dc_release)(void *context, void *buffer);

#define DC_ALL_CORES SIZE_MAX

/* The frames of a measurement that one file has, by their index, which is the number less first_number: from `first` on `frames` in a row
 * (0: all that follow), and so again each `every` (0: not again). */
typedef struct dc_share {
    uint64_t first;
    uint64_t frames;
    uint64_t every;
} dc_share;

typedef struct dc_recorder_options {
    size_t size;             /* sizeof(dc_recorder_options) */
    size_t n_workers;        /* threads that encode; 0: the pushing thread does everything; DC_ALL_CORES: all but one */
    uint64_t max_bytes;      /* the most memory that frames and encoded chunks take, lent or copied; 0: 512 MiB */
    int policy;              /* a DC_POLICY_... */
    int format;              /* a DC_FORMAT_... */
    int writer_thread;       /* not 0: HDF5 is handed over */
    int has_least;           /* not 0: only frames that have at least as much of everything are stored */
    dc_measures least;
    dc_keep keep;            /* may be NULL; asked in the place of `least` */
    void *keep_context;
    uint64_t first_number;   /* the number of the frame that has index 0 */
    uint64_t reorder;        /* with several frames a chunk: a chunk is closed when a frame so far after its end has come; at
                                most 522240 */
    uint64_t max_gap;        /* a frame farther than this after the newest is out of range; at most 1044480 */
    const dc_column *columns;
    size_t n_columns;
    dc_release release;      /* NULL: dc_recorder_released tells which buffers are free */
    void *release_context;
    int no_journal;          /* not 0: no journal is written beside the file, from which dc_journal_restore makes it anew after
                                a crash */
    uint64_t reserve_bytes;  /* of the disk, kept beside the file so that it can be closed when the disk is full; 0: none */
    int swmr;                /* not 0: others may read the file while it is written (SWMR), see dc_recorder_create */
    const char *class_column; /* a column of one integer: frames of its values 0 to n_classes - 1 are also summed apart, for
                                dc_recorder_live_sum; NULL: none */
    size_t n_classes;        /* at most 64 */
    int is_part;             /* not 0: the file is a part of a measurement, see dc_master_make, and has `share`; other frames are out of
                                range */
    dc_share share;
    const char *index;       /* a file that is to have where the blocks of the chunks are (DC_BITSHUFFLE with a compression, DC_LZ4), for
                                dc_reader_load_index. It is there when the recording is finished; where it cannot be written the recording
                                goes on without it, and dc_recorder_fault says why. With dc_recorder_create_files each file has its own: its
                                name with .index appended. NULL: none */
    int maximum;             /* not 0: the greatest value of each pixel is kept, for dc_recorder_live_maximum; with other filters than
                                DRLE each chunk is decoded again for it */
    int in_place;            /* not 0: the memory of a frame that is lent is overwritten with the pixels that are stored, before it is
                                released; it is writable then, although `frame` and `strips` are const, and shared with no other frame. A
                                vetoed frame stays as it is. DC_FORMAT_NATIVE only */
    size_t rows_per_chunk;   /* rows of a frame that a chunk has; 0: whole frames. Chunks of some rows ("bricks"), such as 16 rows of 16
                                frames, let a row of all frames be read without the rest of them. max_bytes must be enough for
                                a little more than n_workers + 4 times the frames of a chunk, whole. Not with DRLE, nor with dc_recorder_push_encoded */
} dc_recorder_options;

#define DC_RECORDER_OPTIONS_INIT                                                                                       \
    {sizeof(dc_recorder_options), DC_ALL_CORES, 0, DC_POLICY_BLOCK, DC_FORMAT_NATIVE, 0, 0, {0, 0, 0}, NULL, NULL, 0, 64, \
     100000, NULL, 0, NULL, NULL, 0, UINT64_C(8388608), 0, NULL, 0, 0, {0, 0, 0}, NULL, 0, 0, 0}

/* Every frame that was pushed is in exactly one of n_stored, n_vetoed, n_refused, n_held, n_lost, n_dropped, n_late, n_duplicate and
 * n_out_of_range; n_received is their sum. */
typedef struct dc_recorder_statistics {
    size_t size;              /* sizeof(dc_recorder_statistics), set before the call */
    uint64_t n_received;
    uint64_t n_stored;        /* in the file */
    uint64_t n_vetoed;
    uint64_t n_refused;       /* cannot be encoded: dc_recorder_fault */
    uint64_t n_held;          /* taken, and not in the file yet */
    uint64_t n_lost;          /* taken, and not in the file: the disk was full, and the recording abandoned */
    uint64_t n_dropped;       /* no memory */
    uint64_t n_late;
    uint64_t n_duplicate;
    uint64_t n_out_of_range;
    uint64_t n_missing;       /* numbers up to the newest that have not come */
    uint64_t n_flushed;       /* stored, and safe from a crash of the process */
    uint64_t n_queued;        /* chunks that wait for a worker or are with one */
    uint64_t bytes_received;
    uint64_t bytes_stored;
    uint64_t bytes_held;
    double seconds_behind;    /* how long the oldest frame has been held */
    uint64_t bytes_decoded;   /* of the pixels of the frames in the file, as a program reads them */
    double seconds;           /* from the first frame that was pushed to the last */
    double gb_per_s;          /* 1e9 bytes that were pushed a second, of the last one or two seconds; in all: bytes_received / seconds */
    double codec_ratio;       /* bytes_decoded / bytes_stored: of the frames that are stored; 0 before the first chunk */
    double ratio;             /* bytes_received / bytes_stored: of all that was pushed, vetoed and dropped frames among it; 0 likewise */
} dc_recorder_statistics;

/* Makes the dataset, as dc_writer_create does, and a recorder to it. `with` may be NULL; its n_threads are each worker's own.
 *
 * options.swmr: the file must have been made in the format of HDF5 1.10 (H5Pset_libver_bounds with H5F_LIBVER_V110 for both), and nothing
 * but this recorder may write to it, nor have an attribute or a named datatype open. Everything is made at once, the sum too, of no
 * frames; then H5Fstart_swmr_write. What is flushed is read by any program that opens the file with H5F_ACC_SWMR_READ, also after a kill
 * at any moment; after a kill the file opens in no other way (until h5clear -s). For a block that the kill has left half written HDF5 waits
 * for ever, unless H5Pset_metadata_read_attempts has another number than its 100 (32 are some four seconds). DC_UNSUPPORTED: the table
 * lacks the function. */
dc_status dc_recorder_create(const dc_hdf5 *hdf5, int64_t at, const char *path, const dc_chunk *chunk, int nexus,
                             const dc_processing *with, const dc_recorder_options *options, dc_recorder **recorder);

/* How the frames of a measurement are spread over files. n_files not 0: `frames` frames go to each of n_files in turn, and this recorder
 * has n_own of them from first_own on, others, perhaps on other machines, the rest. Else bytes not 0: about so many bytes a file. Else
 * `frames` frames a file, whole chunks. */
typedef struct dc_spread {
    size_t size; /* sizeof(dc_spread) */
    uint64_t frames;
    uint64_t bytes;
    uint64_t n_files;
    uint64_t first_own;
    uint64_t n_own;
} dc_spread;

/* Makes a recorder to several files: for the master run.h5 they are run_000000.h5, run_000001.h5 ..., none of which may be there. The next
 * is open long before one is full. dc_recorder_finish and dc_recorder_abandon make the master of them, unless others have files of it, too. All
 * else is as with dc_recorder_create, for each file; memory and threads are divided among those that are open. There is no live view;
 * statistics and fault are for the pushing thread. docs/recording.md has more. */
dc_status dc_recorder_create_files(const dc_hdf5 *hdf5, const char *master, const dc_spread *spread, const char *path,
                                   const dc_chunk *chunk, int nexus, const dc_processing *with,
                                   const dc_recorder_options *options, dc_recorder **recorder);

/* The next file that is complete and may be moved: a line of JSON with path (the name alone), bytes, frames and sha256, cut to `capacity`.
 * *is_there is 0 where there is none at the moment. The same lines are appended to run.h5.parts.jsonl. */
dc_status dc_recorder_complete(const dc_recorder *recorder, char *line, size_t capacity, int *is_there);

/* Makes the file `master` of the files of a measurement, which it shows as one: virtual datasets of frames and metadata, of fixed extents, with
 * relative names. `parts` NULL: those beside `master` of its name, run_000000.h5 and so on. It can be made again at any time, when a part was
 * restored or has come. HDF5 reads what is in no part as the fill value; frame_status is 0 there. `missing`, with room for `capacity`
 * characters, or NULL, gets what is in no part, and which are not finished, a line each; n_missing, or NULL, how many lines there are.
 * `hdf5` as for dc_journal_restore. DC_OTHER says which part does not go with the others. */
dc_status dc_master_make(const dc_hdf5 *hdf5, const char *master, const char *const *parts, size_t n_parts, char *missing,
                         size_t capacity, size_t *n_missing);

/* The bytes of a `row`, the frame's metadata: the columns' numbers one after the other, without gaps. */
dc_status dc_recorder_row_bytes(const dc_recorder *recorder, size_t *row_bytes);

/* Takes a frame in the caller's memory, which must not change until `buffer` (anything that the caller knows it by) is released: once
 * it is encoded, or at once where *pushed is not DC_TAKEN. `row` is the frame's metadata: its numbers in all columns, one after the
 * other without gaps, or NULL; copied. `pushed` may be NULL.
 *
 *   DC_OK            *pushed says what became of it, and it is counted
 *   DC_NOT_STORED    it was taken, and is held: HDF5 refuses a chunk or a flush. Go on with the next
 *   DC_NOT_TAKEN     it was not, and `buffer` is the caller's, not released: the memory is full, and HDF5 refuses chunks. Make room, and
 *                    push it again
 *   any other        it was not, and `buffer` is the caller's, not released */
dc_status dc_recorder_push(const dc_recorder *recorder, uint64_t number, const void *frame, void *buffer, const void *row,
                           int *pushed);

/* The same of a frame in several pieces, in their order; piece i has strip_bytes[i] bytes. */
dc_status dc_recorder_push_strips(const dc_recorder *recorder, uint64_t number, const void *const *strips,
                                  const size_t *strip_bytes, size_t n_strips, void *buffer, const void *row, int *pushed);

/* dc_recorder_push of several frames, one after the other: frame i has the number numbers[i], is at frames[i], and is known by buffers[i]; by
 * frames[i] where `buffers` is NULL. `rows`: their rows of metadata, one after the other without gaps, or NULL. pushed[i] says what became of
 * frame i, *n_pushed of how many frames it does, both also where the call fails; either may be NULL.
 *
 *   DC_OK, DC_NOT_STORED   of all: go on with the next
 *   any other              of the first *n_pushed: those after them are the caller's, and after DC_NOT_TAKEN are to be pushed again */
dc_status dc_recorder_push_frames(const dc_recorder *recorder, const uint64_t *numbers, const void *const *frames, size_t n_frames,
                                  void *const *buffers, const void *rows, int *pushed, size_t *n_pushed);

/* dc_recorder_push of a frame that is copied first: its memory is the caller's again at once. */
dc_status dc_recorder_push_copy(const dc_recorder *recorder, uint64_t number, const void *frame, const void *row, int *pushed);

/* What the bytes of a frame are that is encoded already. */
enum {
    DC_ENCODED_CHUNK = 1, /* the chunk, as the dataset's filter makes it: bitshuffle with LZ4 as a detector delivers it */
    DC_ENCODED_STREAM = 2 /* a DRLE stream of one frame, for a dataset with DRLE: what makes it a chunk is added */
};

/* Takes a frame that is encoded already, lent as in dc_recorder_push, and writes it as it is. It is looked at first, and the first one and
 * each n-th are decoded; one that is not what the dataset's filter would have made is refused, marked and counted: dc_recorder_fault.
 * DC_ARGUMENT where the recorder has several frames a chunk, or is to do something with pixels: a dark image, a threshold, the sum
 * (dc_processing.no_sum), a veto. */
dc_status dc_recorder_push_encoded(const dc_recorder *recorder, uint64_t number, int kind, const void *bytes, size_t n_bytes,
                                   void *buffer, const void *row, int *pushed);

/* Of how many frames that are encoded already one is decoded, 100 unless told otherwise; 0: the first only. */
dc_status dc_recorder_check_every(const dc_recorder *recorder, uint64_t n_frames);

/* Takes a frame given as its n_pixels pixels that are not 0: places[i], row by row, has values[i], an element of the dataset. The later of
 * two at the same place counts. Nothing is lent. DC_ARGUMENT for a place that is not in the frame. */
dc_status dc_recorder_push_pixels(const dc_recorder *recorder, uint64_t number, const uint32_t *places, const void *values,
                                  size_t n_pixels, const void *row, int *pushed);

/* Keeps pixels from `threshold` on, 1 to 32767, in the chunks after all frames that have come: *number, or NULL, gets the number of the first
 * frame that this is of. One before it that comes later is stored as it would have been. The file says what was changed and from which
 * frame on, in the group `changes` beside the frames, and each DRLE chunk its threshold; make the dataset with the lowest threshold that there
 * will be, which a copy through the filter applies. DC_ARGUMENT: out of range. DC_UNSUPPORTED: a bare DRLE stream, which does not say its
 * threshold; another type than int16 and uint16. Frames that are encoded already are refused afterwards. */
dc_status dc_recorder_set_threshold(const dc_recorder *recorder, uint32_t threshold, uint64_t *number);

/* Subtracts another dark image, `height * width` elements, which are copied, or none where it is NULL, in the same way. */
dc_status dc_recorder_set_dark(const dc_recorder *recorder, const void *dark, uint64_t *number);

/* Without options.release: up to `capacity` buffers that were released since. */
dc_status dc_recorder_released(const dc_recorder *recorder, void **buffers, size_t capacity, size_t *n_buffers);

/* For times in which no frames come: stores what is encoded, and flushes the file if it is time to. */
dc_status dc_recorder_poll(const dc_recorder *recorder);

/* Waits until all chunks that are full or closed are stored, and flushes the file. `sync`: not 0 has the system write it to the disk, so
 * that a power cut does not lose it. DC_NOT_STORED: call it again. */
dc_status dc_recorder_flush(const dc_recorder *recorder, int sync);

/* Stores every frame, also of chunks in which some are missing, the columns, the counts and the sum, and flushes. No frame can be
 * pushed afterwards. DC_NOT_STORED: make room, and call it again, or dc_recorder_abandon. */
dc_status dc_recorder_finish(const dc_recorder *recorder);

/* Finishes, and where HDF5 does not take all, as on a full disk, ends without the frames that are held: they are counted as n_lost, and
 * marked 6 in frame_status; the sum, which would have them in it, is not stored. DC_NOT_STORED: not even the counts could be stored. */
dc_status dc_recorder_abandon(const dc_recorder *recorder);

dc_status dc_recorder_statistics_of(const dc_recorder *recorder, dc_recorder_statistics *statistics);

/* Why the last frame that was refused was, or why there is no index of blocks; "" for neither. What is longer than `capacity` is cut. */
dc_status dc_recorder_fault(const dc_recorder *recorder, char *text, size_t capacity);

#define DC_ALL_CLASSES SIZE_MAX

/* The exact sum of all frames that are encoded so far, as they are stored, or of those of a class; also after the end. A worker waits while
 * its part is copied. DC_BUFFER_SIZE: `sum` has room for another number of pixels. DC_ARGUMENT: no sum is kept (there is one of
 * 16-bit elements only), or no such class. */
dc_status dc_recorder_live_sum(const dc_recorder *recorder, size_t class_number, int64_t *sum, size_t n_pixels, uint64_t *n_frames);

/* The greatest value of each pixel in all frames that are encoded so far, as they are stored: n_bytes, those of a frame of the dataset; zeros
 * before the first. DC_ARGUMENT: it is not kept. */
dc_status dc_recorder_live_maximum(const dc_recorder *recorder, void *maximum, size_t n_bytes, uint64_t *n_frames);

/* The frame of the greatest number that is encoded, as it is stored. *is_there is 0 before the first. */
dc_status dc_recorder_last_frame(const dc_recorder *recorder, void *frame, size_t n_bytes, uint64_t *number, int *is_there);

/* What a threshold makes of frames. */
typedef struct dc_preview {
    uint32_t threshold;
    uint32_t n_frames;   /* that were looked at */
    double bright;       /* share of the pixels that are kept */
    double ratio;        /* bytes of a frame for each byte stored */
    double frames_per_s; /* that the calling thread encodes */
} dc_preview;

/* What each of `thresholds` would make of the next n_frames that come, of which copies are taken; of fewer where they do not come within
 * `seconds`. DC_ARGUMENT: none comes. */
dc_status dc_recorder_preview(const dc_recorder *recorder, size_t n_frames, const uint16_t *thresholds, size_t n_thresholds,
                              double seconds, dc_preview *previews);

/* Finishes or abandons, releases all buffers, and ends the recorder. Call it before the file is closed. NULL is allowed. */
void dc_recorder_free(dc_recorder *recorder);

/* Records of which a frame has any number: hits, peaks, photons. In the group `path`, an NXevent_data: the columns' values one after the
 * other, compressed by `filter` (DC_NO_FILTER, or one with its parameters; not DC_DRLE), and for each frame event_index, its first record,
 * event_count, how many there are, and frame_status, 1 where it was given. It has nothing to do with a dc_recorder, and no journal: what was not
 * flushed is lost with the process. One thread at a time. */
typedef struct dc_events dc_events;
dc_status dc_events_create(const dc_hdf5 *hdf5, int64_t at, const char *path, const dc_column *columns, size_t n_columns,
                           uint32_t filter, const uint32_t *values, size_t n_values, dc_events **events);

/* Takes the records of a frame, once and in any order of the frames: values[i] has n_records values of column i; all are copied.
 * DC_UNSUPPORTED for a frame that was given: nothing is taken. DC_HDF5: all was taken, and what is not written is held. */
dc_status dc_events_push(const dc_events *events, uint64_t frame, const void *const *values, size_t n_records);

/* Writes all that is held, has the index for at least n_frames frames, and flushes the file. What is not written is held. */
dc_status dc_events_flush(const dc_events *events, uint64_t n_frames);

/* Does not write what is held: flush before. NULL is allowed. */
void dc_events_free(dc_events *events);

/* A recorder writes a journal beside the file run.h5, run.h5.journal, and removes it when the recording is finished. What a killed process
 * has left, also where the file does not open, becomes a file again by dc_journal_restore, or by the command `darkchunk recover`. */
typedef struct dc_restored {
    size_t size;            /* sizeof(dc_restored), set before the call */
    uint64_t n_chunks;      /* chunks of frames that are in the new file */
    uint64_t n_lost_chunks; /* chunks that were noted, and that HDF5 had not written */
    uint64_t n_rows;        /* rows of metadata that are in the new file */
    uint64_t n_lost_rows;   /* rows whose frames were lost: marked so in frame_status */
    uint64_t n_unread_bytes;/* bytes at the journal's end that are no whole record */
    uint64_t n_copied;      /* other objects of the file that were copied */
    uint64_t n_lost;        /* those that could not be, see `lost` */
} dc_restored;

#define DC_RESTORED_INIT {sizeof(dc_restored), 0, 0, 0, 0, 0, 0, 0}

/* Makes the file `to`, which must not be there, of the journal of `file` and of what `file` has besides, where it opens: dark image,
 * attributes, other datasets. `to` NULL: the new file gets the name of `file`, which is kept with its journal as FILE.left.
 * `hdf5` NULL: as dc_hdf5_load finds one. With a table of a program that hides the names of its HDF5 (one linked statically, without
 * -rdynamic) only what is in the journal is restored. `restored` may be NULL; `lost`, with room for `capacity` characters, or NULL, gets what
 * could not be copied and why, a line each; what is longer is cut.
 *
 *   DC_OTHER    there is no journal, it is none, or a file cannot be read or is there already; there is no new file then
 *   DC_HDF5     the new file cannot be written, and is removed; or the journal says what no file has */
dc_status dc_journal_restore(const dc_hdf5 *hdf5, const char *file, const char *to, dc_restored *restored, char *lost,
                             size_t capacity);

/* ---- reading ------------------------------------------------------------------------------------------------------ */

#define DC_MAX_RANK 32

typedef struct dc_reader dc_reader;
typedef struct dc_read dc_read;

/* By which way a dataset is read. The numbers are for ever. */
enum {
    DC_WAY_DIRECT = 1, /* bytes from the file beside HDF5, decoded in threads; HDF5 is not called */
    DC_WAY_HDF5 = 2,   /* H5Dread, by the calling thread */
    DC_WAY_CHUNKS = 3  /* chunks as they are stored through HDF5, by the calling thread; decoded in threads */
};

/* What is done where a chunk was never stored. */
enum {
    DC_MISSING_FILL = 0, /* the fill value, as HDF5 does; zeros where HDF5 would leave the memory as it is */
    DC_MISSING_ERROR = 1 /* DC_MISSING; see also dc_reader_missing */
};

typedef struct dc_reader_options {
    size_t size;      /* sizeof(dc_reader_options) */
    size_t n_threads; /* threads that read and decode, the calling one among them, at most 256; 0: one for each processor */
    int missing;      /* DC_MISSING_FILL or DC_MISSING_ERROR */
    int only_hdf5;    /* not 0: always DC_WAY_HDF5 */
} dc_reader_options;

#define DC_READER_OPTIONS_INIT {sizeof(dc_reader_options), 0, DC_MISSING_FILL, 0}

typedef struct dc_reader_info {
    size_t size;                 /* sizeof(dc_reader_info), set before the call */
    int way;                     /* a DC_WAY_... */
    int rank;
    uint64_t shape[DC_MAX_RANK]; /* at dc_reader_open or the last dc_reader_refresh */
    uint64_t chunk[DC_MAX_RANK]; /* the shape of a chunk; zeros where the dataset has no chunks */
    size_t element_bytes;
    int element;                 /* a dc_element where the elements are such integers, else 0 */
    int is_big_endian;           /* of such integers */
    int n_filters;
    uint32_t filters[32];        /* their numbers, in the order in which they are applied */
    uint64_t n_chunks;           /* chunks that are stored, and their bytes; zeros where that is not known */
    uint64_t stored_bytes;
} dc_reader_info;

/* A reader of an open dataset (a hid_t of the HDF5 of the table), which it opens once more. It is for as long as that
 * HDF5 has the file open: free it before the file is closed. `options` may be NULL. Elements are read as they are stored: in the
 * dataset's type (H5Dget_type) and its byte order. DC_UNSUPPORTED for those that refer to other places of the file (strings
 * and sequences of variable length, references), and for a table that lacks a function.
 *
 * HDF5 is called by dc_reader_open, dc_reader_refresh and dc_reader_free; by dc_reader_read and dc_read_step only where the way is
 * not DC_WAY_DIRECT; by nothing else here. It is called on the calling thread. */
dc_status dc_reader_open(const dc_hdf5 *hdf5, int64_t dataset, const dc_reader_options *options, dc_reader **reader);

dc_status dc_reader_info_of(const dc_reader *reader, dc_reader_info *info);

/* Why the dataset is not read by DC_WAY_DIRECT; "" where it is. Valid until the next refresh or free. */
const char *dc_reader_reason(const dc_reader *reader);

/* Reads start[i], start[i] + step[i], ... (count[i] of them) along each axis. `step` may be NULL: all 1. strides[i] are the bytes
 * in dst from one element to the next along axis i, of any sign; NULL: without gaps, the last axis fastest. Elements of dst must
 * not overlap; bytes between them are not touched. On an error the selected elements of dst are unspecified. Several threads may
 * read with one reader at the same time.
 *
 *   DC_ARGUMENT                            a selection that is not in the dataset, strides by which elements overlap
 *   DC_DAMAGED, DC_WRONG_SIZE              a chunk, of several the first in the selection; the message says where
 *   DC_READ, DC_MISSING, DC_HDF5 */
dc_status dc_reader_read(const dc_reader *reader, const uint64_t *start, const uint64_t *count, const uint64_t *step, void *dst,
                         const int64_t *strides);

/* The same in pieces, so that a program can look for signals, or give up. dc_read_begin reads nothing yet. Each step reads for about
 * so many seconds, at least one chunk, and says whether all is read. Between steps nothing is written to dst and no thread is at
 * work. After a step that failed there is nothing to be done but dc_read_free, which is allowed at any time, and for NULL. */
dc_status dc_read_begin(const dc_reader *reader, const uint64_t *start, const uint64_t *count, const uint64_t *step, void *dst,
                        const int64_t *strides, dc_read **read);
dc_status dc_read_step(dc_read *read, double seconds, int *is_done);
void dc_read_free(dc_read *read);

/* For each element of a selection, without gaps, 1 where its chunk was never stored, else 0. DC_ARGUMENT also where that is not
 * known. */
dc_status dc_reader_missing(const dc_reader *reader, const uint64_t *start, const uint64_t *count, const uint64_t *step,
                            uint8_t *missing);

/* Where the chunk is that begins at `offset`: its address from the file's first byte, its stored bytes (0: it was never stored) and
 * its filter mask. Each output may be NULL. DC_ARGUMENT where no chunk begins there, and where the way is not DC_WAY_DIRECT. */
dc_status dc_reader_chunk(const dc_reader *reader, const uint64_t *offset, uint64_t *address, uint64_t *n_bytes,
                          uint32_t *mask);

/* What a reader has done so far. Of a chunk of which a small part is wanted, and whose only filter can do that (bitshuffle, Blosc, LZ4 in
 * blocks, DRLE, bounded), no other blocks are decoded; of bitshuffle and LZ4 the reader keeps where they are (64 MiB at most), so that the
 * next time no others are read. */
typedef struct dc_reader_statistics {
    size_t size;             /* sizeof(dc_reader_statistics), set before the call */
    uint64_t read_bytes;     /* from the file beside HDF5 */
    uint64_t whole_chunks;   /* that were decoded whole */
    uint64_t partial_chunks; /* of which a part was decoded */
    uint64_t partial_blocks; /* the blocks of these parts */
} dc_reader_statistics;

dc_status dc_reader_statistics_of(const dc_reader *reader, dc_reader_statistics *statistics);

/* Frames: a frame is all that is at one place of the first axis. How many of the first frames are stored, all of each, as of the last
 * refresh; as many as there are where that is not known. A program waits for frames by dc_reader_refresh and this. */
dc_status dc_reader_n_stored(const dc_reader *reader, uint64_t *n_frames);

/* The pixels of the frames begin, begin + 1, ..., end - 1 that are not 0, of integers of up to 32 bits. DRLE's come out of its streams, those
 * of other filters block by block: no image is made where chunks are whole frames. `ignore`: a value that is left out, such as that of
 * masked pixels, or NULL; also below. HDF5 is called by these three only where the way is not DC_WAY_DIRECT. */
typedef struct dc_sparse dc_sparse;
dc_status dc_reader_sparse(const dc_reader *reader, uint64_t begin, uint64_t end, const int64_t *ignore, dc_sparse **sparse);

/* Frame i of them has the pixels offsets[i] to offsets[i + 1] - 1: indices[k] is the place in its frame, row by row, and values[k] an
 * element of the dataset. Valid until dc_sparse_free. */
dc_status dc_sparse_get(const dc_sparse *sparse, const uint64_t **offsets, const uint32_t **indices, const void **values,
                        size_t *n_pixels);

/* NULL is allowed. */
void dc_sparse_free(dc_sparse *sparse);

/* For each pixel of a frame: its sum over these frames, its greatest value (0 where all are ignored), and in how many frames it is not
 * 0. Each output is NULL, or has room for a frame. */
dc_status dc_reader_reduce(const dc_reader *reader, uint64_t begin, uint64_t end, const int64_t *ignore, int64_t *sum, int64_t *max,
                           uint64_t *count);

/* The same, to which frames are added from call to call: what a call costs is what its frames cost. A reduction belongs to no reader, and
 * takes frames of any that have the same pixels: a reader that was refreshed, one of the next file. One thread at a time. */
typedef struct dc_reduction dc_reduction;
dc_status dc_reduction_new(const dc_reader *reader, const int64_t *ignore, dc_reduction **reduction);

/* Adds the frames begin, begin + 1, ..., end - 1, for about so many seconds, at least a chunk of them; INFINITY: all. `next` is the first
 * that is left, or end. After an error it may have a part of a frame: then all calls fail but dc_reduction_free. */
dc_status dc_reduction_add(dc_reduction *reduction, const dc_reader *reader, uint64_t begin, uint64_t end, double seconds,
                           uint64_t *next);

/* Of all frames that were added; outputs as of dc_reader_reduce. */
dc_status dc_reduction_get(const dc_reduction *reduction, int64_t *sum, int64_t *max, uint64_t *count);

/* NULL is allowed. */
void dc_reduction_free(dc_reduction *reduction);

/* For each of these frames, and each label in it from 0 to n_labels - 1: the sum of its pixels, the sum of their squares, and how many there
 * are, zeros among them. `labels` has a number for each pixel of a frame; those from n_labels on are of no region. Each output is NULL,
 * or has room for (end - begin) * n_labels numbers. */
dc_status dc_reader_regions(const dc_reader *reader, uint64_t begin, uint64_t end, const int64_t *ignore, const uint32_t *labels,
                            size_t n_labels, int64_t *sums, double *squares, uint64_t *counts);

/* How much of each pixel belongs to each bin, as where pixels are split among azimuthal bins: a sparse matrix in compressed rows. Bin i has the
 * pixels indices[k] (row by row of the frame, below n_pixels) with weights[k], for k from starts[i] to starts[i + 1] - 1; starts[0] is 0,
 * starts[n_bins] the number of entries. All is copied. Any number of threads may use it. */
typedef struct dc_bins dc_bins;
dc_status dc_bins_new(size_t n_pixels, size_t n_bins, const uint64_t *starts, const uint32_t *indices, const float *weights,
                      dc_bins **bins);

/* As dc_reader_regions, for each bin: the sum of weight and pixel, that of weight and the pixel's square, and that of the weights of the
 * pixels that are not ignored. Each output is NULL, or has room for (end - begin) * n_bins numbers. */
dc_status dc_reader_integrate(const dc_reader *reader, uint64_t begin, uint64_t end, const int64_t *ignore, const dc_bins *bins,
                              double *sums, double *squares, double *weights);

/* NULL is allowed. */
void dc_bins_free(dc_bins *bins);

/* Walks all chunks once, and writes to the file `path` where their blocks are: of bitshuffle with a compression, and of LZ4. It is there when
 * the last step is done, in the place of one that was there before; meanwhile a file of this name with the
 * process's number and .part appended is. HDF5 is not called. DC_ARGUMENT where the way
 * is not DC_WAY_DIRECT or there are no chunks, DC_UNSUPPORTED where none has such blocks or the file cannot be written. */
typedef struct dc_index dc_index;
dc_status dc_index_begin(const dc_reader *reader, const char *path, dc_index **index);

/* Walks on for about so many seconds, at least one chunk; INFINITY: to the end. */
dc_status dc_index_step(dc_index *index, double seconds, int *is_done);

/* NULL is allowed. */
void dc_index_free(dc_index *index);

/* Uses such a file: of a chunk of which a small part is wanted no other bytes are read than those of its blocks. What it says is compared with
 * the chunk's place and size, and each block with its checksum: what does not agree is read as without it. `n_chunks`: of how many of
 * the dataset's chunks it says something. DC_UNSUPPORTED where it is damaged or no index. */
dc_status dc_reader_load_index(const dc_reader *reader, const char *path, uint64_t *n_chunks);

/* Sees what was added to the dataset since (H5Drefresh): its shape, its chunks. DC_ARGUMENT while a dc_read of the reader is there, or
 * another thread is in dc_reader_read; other calls wait. DC_UNSUPPORTED, and nothing is done, where the process has another identifier of
 * the dataset than the one that dc_reader_open was given, as another reader of it or a writer has: HDF5 (1.10 and 2.0 were seen)
 * breaks a dataset that is open twice when it refreshes one, and crashes. A table without H5Fget_obj_ids cannot tell. On an error the
 * reader is as it was, except where HDF5 does not open the dataset again: it has to be closed for H5Drefresh. Then DC_WAY_DIRECT still
 * reads what was there, and the other ways fail until a refresh succeeds. */
dc_status dc_reader_refresh(dc_reader *reader);

/* NULL is allowed. Free the reader's dc_reads before: the last that is freed closes the dataset, with HDF5. */
void dc_reader_free(dc_reader *reader);

/* The noise of a detector: a pixel x has the variance gain * (x - offset) + read_variance, as DC_BOUNDED takes it. Offset and read noise cannot be
 * told from each other without a dark image: one of them is 0. */
typedef struct dc_noise {
    size_t size;                /* sizeof(dc_noise), set before the call */
    double gain, offset, read_variance;
    double gain_error;          /* standard error */
    double variance_at_0;       /* of the line through the variances, at 0 counts */
    double variance_at_0_error; /* standard error */
    double misfit;              /* how far the variances are off the line, relative, in the median */
    double neighbours;          /* correlation of the noise of neighbours in a row */
    size_t n_doubts;            /* why it may be no photon noise: sentences in `doubts` */
} dc_noise;

/* Measures it from n_frames (at least 3, better 20) frames that follow each other in time, row by row in this machine's byte order. The scene may
 * move slowly. Left out are pixels of these values, or, where `sentinels` is NULL, those that detectors mark (all bits set in uint16 and uint32, below 0
 * in int32); and those from *saturation on, unless it is NULL. `doubts` gets the sentences, a line each, as many bytes as there is room
 * for with a 0 at the end. DC_ARGUMENT where the frames say nothing. */
dc_status dc_noise_of_frames(const void *frames, dc_element element, size_t n_frames, size_t height, size_t width, const int64_t *sentinels,
                             size_t n_sentinels, const int64_t *saturation, dc_noise *noise, char *doubts, size_t doubts_len);

/* A filter of a dataset, with its parameters as they are stored. */
typedef struct dc_filter {
    uint32_t id;
    const uint32_t *values;
    size_t n_values;
} dc_filter;

/* Decodes a stored chunk through all filters of its dataset, in the order in which they are applied, less those in `mask`, into the
 * whole of dst, which has the size of the dataset's chunks: the six above, and gzip (1), shuffle (2), fletcher32 (3), h5py's LZF
 * (32000) and PyTables' LZO (305). Any `src` is safe. DC_UNSUPPORTED for others. */
dc_status dc_decode_pipeline(const dc_filter *filters, size_t n_filters, uint32_t mask, const void *src, size_t src_len,
                             void *dst, size_t dst_len);

/* The table of one of the six filters for HDF5's H5Zregister (an H5Z_class2_t), which stays; NULL for another number. A program
 * that registers it needs no plugin: H5Zregister(dc_filter_class(DC_BITSHUFFLE)). */
const void *dc_filter_class(uint32_t filter);

/* Runs the command `darkchunk` (docs/command.md) as this process: n_arguments words, the program's name first, in the system's
 * encoding (Windows: UTF-8). *code is its exit code: 0 all is well, 1 it found something, 2 it could not do what was asked, which
 * standard error explains. It uses the first HDF5 that is found, as dc_hdf5_load does; where standard output is a pipe that
 * nobody reads any more, it ends the process. For the Python package: the libraries of the archives do not have it
 * (cargo's feature `command`). */
dc_status dc_command(size_t n_arguments, const char *const *arguments, int *code);

/* A run over slices of datasets: each chunk is read and decoded once, and a library of h5io.h that is in this program called for the slices,
 * by several threads as far as it allows. docs/slices.md has more; `darkchunk slices` does the same with a library in a file. */
typedef struct dc_slices dc_slices;

typedef struct dc_slices_options {
    size_t size;
    const char *const *arguments; /* "name=value", for h5io_argument */
    size_t n_arguments;
    const char *output;           /* the new file for outputs; NULL: none */
    size_t n_threads;             /* that read and decode; 0: one for each processor */
    size_t n_workers;             /* that call `process`, at most; 0: as many */
    uint64_t max_memory;          /* bytes for slabs, reading and writing; 0: 2000000000 */
    int keep_going;               /* not 0: a slice that fails is marked, and the run goes on */
    int resume;                   /* not 0: with ranks, a part that is there and of the same run is kept */
    uint64_t rank;                /* of n_ranks processes, from 0 on */
    uint64_t n_ranks;             /* 1: alone; 0: as the launcher of this process says (MPI, srun, arrays of jobs) */
    const char *library;          /* where the library is from, and the SHA-256 of that, as they are stored; may be NULL */
    const char *library_sha256;
    int32_t *stop;                /* NULL, or: another thread ends the run by writing another number than 0 to it */
    uint64_t *n_done;             /* NULL, or: how many slices are done, for another thread to look at */
} dc_slices_options;
#define DC_SLICES_OPTIONS_INIT {sizeof(dc_slices_options), NULL, 0, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL}

typedef struct dc_slices_plan {
    size_t size;
    int n_axes;             /* slicing axes */
    uint64_t extents[32];   /* along them, the slowest first */
    uint64_t first, end;    /* slices of this process */
    uint64_t n_slabs;
    uint64_t memory;        /* bytes at most */
    uint64_t n_bytes;       /* of all elements of the inputs */
    uint64_t decoded_bytes; /* as expected */
} dc_slices_plan;
#define DC_SLICES_PLAN_INIT {sizeof(dc_slices_plan), 0, {0}, 0, 0, 0, 0, 0, 0}

typedef struct dc_slices_summary {
    size_t size;
    uint64_t n_done, n_skipped, n_failed, n_not_reached;
    uint64_t read_bytes, decoded_bytes; /* as counted */
} dc_slices_summary;
#define DC_SLICES_SUMMARY_INIT {sizeof(dc_slices_summary), 0, 0, 0, 0, 0, 0}

/* Opens a file, and begins with the library, whose functions but `process` are called on this thread. `library` is a h5io_library_t;
 * it, and what it points to, stays until dc_slices_free. `hdf5` as for dc_journal_restore. */
dc_status dc_slices_open(const dc_hdf5 *hdf5, const char *file, const void *library, const dc_slices_options *options,
                         dc_slices **slices);

/* What will be done. */
dc_status dc_slices_plan_of(const dc_slices *slices, dc_slices_plan *plan);

/* Does it, once. HDF5 is called on this thread. A slice that fails, or what cannot be read, is an error without keep_going; there is no
 * output file then. */
dc_status dc_slices_run(dc_slices *slices, dc_slices_summary *summary);

/* Ends, the library with processing_complete. NULL is allowed. */
void dc_slices_free(dc_slices *slices);

#ifdef __cplusplus
}
#endif

#endif
