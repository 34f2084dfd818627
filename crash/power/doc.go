// Package power cuts the power of a disk, for the crash tests. A Disk is a file system
// in memory that programs use through FUSE. It knows which data and which names were
// flushed (fsync), and returns after a cut what a real disk would still hold. No
// program imports it.
package power
