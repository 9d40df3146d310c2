/* A disk that loses power: preloaded under a program, it forgets what was written and not yet synced.

   POWER_CUT_DIR is the folder that is on this disk. At the operation with the number POWER_CUT_AT (writes, truncations and
   syncs count) the power goes: of what is not synced, each write survives or not by the dice of POWER_CUT_SEED (0: none
   does), files whose folder was not synced after they were made may be gone, and the process is killed.
   POWER_CUT_COUNT names a file that receives the number of operations of a program that came to its end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct change {          /* one write or truncation that is not synced */
    char path[512];
    off_t at, old_size;
    size_t length, old_length;
    char *old, *new;     /* new is NULL for a truncation to `at` */
    int made;            /* the file itself is new, and its folder is not synced */
    struct change *before;
};

static struct change *unsynced;
static long operations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int inside;

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int on_this_disk(int fd, char *path) {
    const char *folder = getenv("POWER_CUT_DIR");
    char link[64];
    if (!folder || inside) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 511);
    if (length <= 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(folder);
    /* SQLite rebuilds the index of its log from the log; it never syncs it. */
    return !strncmp(path, folder, prefix) && !(length > 4 && !strcmp(path + length - 4, "-shm"));
}

static int survives(void) { return atol(getenv("POWER_CUT_SEED") ?: "0") != 0 && rand() % 2; }

static void lose_power(void) {
    inside = 1;
    srand(atol(getenv("POWER_CUT_SEED") ?: "0"));
    struct change *forward = NULL;
    while (unsynced) {   /* back to what was synced, the newest first */
        struct change *one = unsynced;
        unsynced = one->before;
        if (!one->made) {
            int fd = open(one->path, O_RDWR);
            if (fd >= 0) {
                if (ftruncate(fd, one->old_size)) {}
                if (one->old_length && pwrite(fd, one->old, one->old_length, one->at) < 0) {}
                close(fd);
            }
        }
        one->before = forward;
        forward = one;
    }
    for (; forward; forward = forward->before) {   /* and forward again, as the dice fall */
        if (survives()) {
            int fd = forward->made ? -1 : open(forward->path, O_RDWR);
            if (fd >= 0) {
                size_t whole = rand() % 4 ? forward->length : forward->length / 1024 * 512;   /* or torn in the middle */
                if (forward->new ? pwrite(fd, forward->new, whole, forward->at) < 0 : ftruncate(fd, forward->at)) {}
                close(fd);
            }
        } else if (forward->made) unlink(forward->path);
    }
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void count(void) {
    const char *at = getenv("POWER_CUT_AT");
    if (++operations == (at ? atol(at) : -1)) lose_power();
}

static void note(int fd, const char *path, const void *data, size_t length, off_t at) {
    struct stat now;
    if (fstat(fd, &now) || !S_ISREG(now.st_mode)) return;
    struct change *one = calloc(1, sizeof *one);
    snprintf(one->path, sizeof one->path, "%s", path);
    one->at = at;
    one->old_size = now.st_size;
    one->length = length;
    size_t reach = data ? length : (size_t)(now.st_size > at ? now.st_size - at : 0);
    if (at < now.st_size) {
        one->old_length = (size_t)(now.st_size - at) < reach ? (size_t)(now.st_size - at) : reach;
        one->old = malloc(one->old_length + 1);
        int copy = open(path, O_RDONLY);
        if (copy < 0 || pread(copy, one->old, one->old_length, at) != (ssize_t)one->old_length) abort();
        close(copy);
    }
    if (data) {
        one->new = malloc(length + 1);
        memcpy(one->new, data, length);
    }
    one->before = unsynced;
    unsynced = one;
}

static void synced(const char *path) {
    struct stat what;
    int folder = !stat(path, &what) && S_ISDIR(what.st_mode);
    size_t length = strlen(path);
    for (struct change **place = &unsynced; *place;) {
        struct change *one = *place;
        int here = folder ? one->made && !strncmp(one->path, path, length) && !strchr(one->path + length + 1, '/')
                          : !one->made && !strcmp(one->path, path);
        if (here) { *place = one->before; free(one->old); free(one->new); free(one); }
        else place = &one->before;
    }
}

#define GUARDED(fd, before, call) \
    char path[512]; \
    if (!on_this_disk(fd, path)) return call; \
    pthread_mutex_lock(&lock); inside = 1; \
    before; \
    count(); \
    __typeof__(call) result = call; \
    inside = 0; pthread_mutex_unlock(&lock); \
    return result

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    REAL(pwrite64);
    GUARDED(fd, note(fd, path, data, length, at), real(fd, data, length, at));
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

ssize_t write(int fd, const void *data, size_t length) {
    REAL(write);
    GUARDED(fd, note(fd, path, data, length, lseek(fd, 0, SEEK_CUR)), real(fd, data, length));
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    GUARDED(fd, note(fd, path, NULL, 0, size), real(fd, size));
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
    char path[512];
    REAL(fsync);
    if (!on_this_disk(fd, path)) return real(fd);
    pthread_mutex_lock(&lock);
    count();   /* power that goes now goes before the sync has done anything */
    synced(path);
    pthread_mutex_unlock(&lock);
    return 0;
}
int fdatasync(int fd) { return fsync(fd); }

static void made(const char *path) {
    const char *folder = getenv("POWER_CUT_DIR");
    char whole[512];
    if (!folder || inside) return;
    if (path[0] == '/') snprintf(whole, sizeof whole, "%s", path);
    else return;   /* the ledger opens by whole paths */
    if (strncmp(whole, folder, strlen(folder)) || (strlen(whole) > 4 && !strcmp(whole + strlen(whole) - 4, "-shm"))) return;
    struct change *one = calloc(1, sizeof *one);
    snprintf(one->path, sizeof one->path, "%s", whole);
    one->made = 1;
    pthread_mutex_lock(&lock);
    one->before = unsynced;
    unsynced = one;
    pthread_mutex_unlock(&lock);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    int is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd = real(path, flags, mode);
    int kept = errno;
    if (fd >= 0 && is_new) made(path);
    errno = kept;
    return fd;
}
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open64(path, flags, mode);
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("POWER_CUT_COUNT");
    if (!path) return;
    inside = 1;
    FILE *file = fopen(path, "w");
    if (file) { fprintf(file, "%ld", operations); fclose(file); }
}
