/* A program with HDF5 inside: linked in statically, and exporting none of its functions.
 *
 * Makes a dataset with filter argv[2] and the parameters behind it, writes frames, closes, opens, and compares. Without argv[2]
 * it only opens and compares. Prints the stored parameters. Ends with 0 if the frames are read as they were written.
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 4, ROWS = 33, COLUMNS = 47, PIXELS = FRAMES * ROWS * COLUMNS };

static short written[PIXELS], found[PIXELS];

static int write_frames(const char *path, int filter, unsigned n_values, const unsigned *values)
{
    hsize_t shape[3] = {FRAMES, ROWS, COLUMNS};
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(3, shape, NULL);
    H5Pset_chunk(plist, 3, shape);
    if (H5Pset_filter(plist, (H5Z_filter_t)filter, H5Z_FLAG_MANDATORY, n_values, values) < 0)
        return 3;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t dataset = H5Dcreate2(file, "frames", H5T_STD_I16LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (dataset < 0 || H5Dwrite(dataset, H5T_NATIVE_SHORT, H5S_ALL, H5S_ALL, H5P_DEFAULT, written) < 0)
        return 4;
    return H5Fflush(file, H5F_SCOPE_LOCAL) < 0 || H5Dclose(dataset) < 0 || H5Fclose(file) < 0 ? 5 : 0;
}

int main(int argc, char **argv)
{
    unsigned values[16], n_values = 0;
    unsigned stored[16], flags;
    size_t n_stored = 16, i;

    if (argc < 2)
        return 2;
    for (int a = 3; a < argc && n_values < 16; a++)
        values[n_values++] = (unsigned)strtoul(argv[a], NULL, 10);
    for (i = 0; i < PIXELS; i++)
        written[i] = i % 41 == 5 ? (short)(i % 3000 + 1) : 0;
    int failed = argc > 2 ? write_frames(argv[1], atoi(argv[2]), n_values, values) : 0;
    if (failed)
        return failed;

    hid_t file = H5Fopen(argv[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "frames", H5P_DEFAULT);
    if (H5Dread(dataset, H5T_NATIVE_SHORT, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) < 0)
        return 6;
    H5Pget_filter2(H5Dget_create_plist(dataset), 0, &flags, &n_stored, stored, 0, NULL, NULL);
    for (i = 0; i < n_stored; i++)
        printf("%u ", stored[i]);
    printf("\n");
    return memcmp(written, found, sizeof written) == 0 ? 0 : 1;
}
