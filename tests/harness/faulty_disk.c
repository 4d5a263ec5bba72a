/* A disk that is full when told so, and that keeps a copy of what was really synced: loaded before libc (LD_PRELOAD).

   FAULTY_DIR     files below it are watched
   FAULTY_FULL    while this file exists, nothing more can be written there: ENOSPC
   FAULTY_SHADOW  each fsync or fdatasync of a watched file copies it here: what a power loss would leave
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *watched(int fd, char *path) {
    const char *folder = getenv("FAULTY_DIR");
    char link[64];
    if (folder == NULL) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0 ? path : NULL;
}

static int is_full(int fd) {
    const char *flag = getenv("FAULTY_FULL");
    char path[PATH_MAX];
    if (flag == NULL || access(flag, F_OK) != 0 || watched(fd, path) == NULL) return 0;
    errno = ENOSPC;
    return 1;
}

typedef ssize_t (*write_fn)(int, const void *, size_t);
typedef ssize_t (*pwrite_fn)(int, const void *, size_t, off64_t);
typedef int (*sync_fn)(int);

static write_fn real_write(void) {
    static write_fn found;
    if (!found) found = (write_fn)dlsym(RTLD_NEXT, "write");
    return found;
}

ssize_t write(int fd, const void *data, size_t size) {
    return is_full(fd) ? -1 : real_write()(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    static pwrite_fn real;
    if (!real) real = (pwrite_fn)dlsym(RTLD_NEXT, "pwrite64");
    return is_full(fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

static void keep(const char *path) {
    const char *shadow = getenv("FAULTY_SHADOW"), *name = strrchr(path, '/');
    char target[PATH_MAX], partial[PATH_MAX];
    static char block[1 << 16];
    ssize_t size;
    if (shadow == NULL || name == NULL) return;
    snprintf(target, sizeof target, "%s%s", shadow, name);
    snprintf(partial, sizeof partial, "%s%s.partial", shadow, name);
    int source = open(path, O_RDONLY | O_CLOEXEC);
    int copy = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (source >= 0 && copy >= 0 && (size = read(source, block, sizeof block)) > 0) real_write()(copy, block, size);
    if (source >= 0) close(source);
    if (copy >= 0) close(copy);
    rename(partial, target);
}

static int synced(int fd, const char *how) {
    char path[PATH_MAX];
    sync_fn real = (sync_fn)dlsym(RTLD_NEXT, how);
    int result = is_full(fd) ? -1 : real(fd);
    if (result == 0 && watched(fd, path) != NULL) keep(path);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

/* What is removed is removed from the copy too: an old journal there would undo what came after it. */
int unlink(const char *path) {
    static int (*real)(const char *);
    const char *folder = getenv("FAULTY_DIR"), *shadow = getenv("FAULTY_SHADOW"), *name = strrchr(path, '/');
    char target[PATH_MAX];
    if (!real) real = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    int result = real(path);
    if (result == 0 && folder && shadow && name && strncmp(path, folder, strlen(folder)) == 0) {
        snprintf(target, sizeof target, "%s%s", shadow, name);
        real(target);
    }
    return result;
}
