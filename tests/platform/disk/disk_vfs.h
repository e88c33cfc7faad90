// SQLite's way to simulated disks: while there is one, SQLite's default VFS asks whose folder a path is below, and
// leaves what is nobody's to the file system.
#pragma once

namespace infra::sim {

class SimulatedDisk;

// A disk's own calls.
void attach_disk(SimulatedDisk& disk);
void detach_disk(SimulatedDisk& disk);
// It is called on this thread: where SQLite waits for a lock next, it is one of this disk's.
void note_caller(SimulatedDisk& disk);

}  // namespace infra::sim
