/*
 * What `darkchunk slices` takes of MPI: parts of a run handed out to whichever process is free, and the worst error told to all. MPI
 * libraries have no common ABI, so this is compiled with the one that the program is to run under:
 *
 *     mpicc -O2 -shared -fPIC -o libdarkchunk_mpi.so darkchunk_mpi.c
 *     mpiexec -n 4 -genv DARKCHUNK_MPI $PWD/libdarkchunk_mpi.so darkchunk slices run ...      (Open MPI: mpirun -x DARKCHUNK_MPI)
 *
 * Beside the program darkchunk it is found without the variable. All functions are called on one thread, and return 0 where all is well;
 * where MPI fails it ends all processes, as it does by default.
 */
#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#define DARKCHUNK_MPI_ABI 1

static MPI_Win window;
static int64_t *counter;

/* Begins. All processes call it. 1 where the caller wants another version of this file. */
int darkchunk_mpi_begin(int abi, int *rank, int *n_ranks)
{
    int level;
    if (abi != DARKCHUNK_MPI_ABI) {
        return 1;
    }
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, rank);
    MPI_Comm_size(MPI_COMM_WORLD, n_ranks);
    MPI_Win_allocate(*rank == 0 ? sizeof *counter : 0, sizeof *counter, MPI_INFO_NULL, MPI_COMM_WORLD, &counter, &window);
    if (*rank == 0) {
        MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, window);
        *counter = 0;
        MPI_Win_unlock(0, window);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    return 0;
}

/* Adds to a number that all processes have in common, and gives what it was before. */
int darkchunk_mpi_add(int64_t n, int64_t *before)
{
    MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window);
    MPI_Fetch_and_op(&n, before, MPI_INT64_T, 0, 0, MPI_SUM, window);
    MPI_Win_unlock(0, window);
    return 0;
}

/* Lets MPI serve the others: it does so only while it is called. */
int darkchunk_mpi_serve(void)
{
    int is_there;
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &is_there, MPI_STATUS_IGNORE);
    return 0;
}

/* Waits for all processes, and gives the highest of their numbers. */
int darkchunk_mpi_worst(int code, int *worst)
{
    MPI_Allreduce(&code, worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    return 0;
}

/* Ends. All processes call it. */
int darkchunk_mpi_end(void)
{
    MPI_Win_free(&window);
    MPI_Finalize();
    return 0;
}
