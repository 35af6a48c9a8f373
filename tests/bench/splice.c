/* The floor of log capture: moves what a program writes into a file, and does nothing else.
 *
 * splice FILE PROGRAM [ARGUMENT ...]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int ends[2], file;
    if (argc < 3 || pipe2(ends, O_CLOEXEC)) return 2;
    file = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return 2;
    if (!vfork()) {
        dup2(ends[1], 1);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    close(ends[1]);
    while (splice(ends[0], NULL, file, NULL, 1 << 20, SPLICE_F_MOVE) > 0) {}
    return 0;
}
