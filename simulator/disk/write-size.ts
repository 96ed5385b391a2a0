// How much one system call writes to an image that is written in random order.

/**
 * Most bytes of one write to a disk image. The kernel caches what one write brings as one folio
 * (large folios, ext4 from Linux 6.16), and ext4 visits all 4 KiB blocks of a folio at every later
 * write to it. After a guest filled its disk by writes of 1 MiB, each write of 4 KiB costs three
 * times as much as after writes of 64 KiB, and those twice as much as after writes of 16 KiB
 * (docs/benchmarks.md, guest-io). Smaller pieces gain little more, and make filling a disk dear.
 */
export const IMAGE_WRITE_BYTES_MAX = 16 * 1024;
