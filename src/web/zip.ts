// A ZIP made in the page, of code that was typed or of a folder that was dropped: names in UTF-8, each file deflated where that
// makes it smaller, dates all alike, so that the same files give the same ZIP.

export interface Entry {
  path: string;
  data: Blob;
  executable?: boolean;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

export function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = TABLE[(value ^ byte) & 255]! ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

async function deflated(data: Blob): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(data.stream().pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer());
}

// Little-endian numbers of the given sizes.
function record(...fields: [size: 2 | 4, value: number][]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

const UTF8 = 0x0800;
const DATE = (2000 - 1980) << 9 | 1 << 5 | 1;
const UNIX = 3 << 8 | 20;

export async function zip(entries: Entry[], progress: (part: number) => void = () => {}): Promise<Blob> {
  const body: BlobPart[] = [];
  const directory: BlobPart[] = [];
  let offset = 0;
  let directorySize = 0;
  for (const [number, { path, data, executable }] of entries.entries()) {
    const name = new TextEncoder().encode(path);
    const plain = new Uint8Array(await data.arrayBuffer());
    const packed = await deflated(data);
    const method = packed.length < plain.length ? 8 : 0;
    const stored = method === 8 ? packed : plain;
    const common: [2 | 4, number][] = [[2, UTF8], [2, method], [2, 0], [2, DATE], [4, crc32(plain)], [4, stored.length],
      [4, plain.length], [2, name.length], [2, 0]];
    const header = record([4, 0x04034b50], [2, 20], ...common);
    const mode = (0o100644 | (executable ? 0o111 : 0)) << 16 >>> 0;
    const row = record([4, 0x02014b50], [2, UNIX], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, mode], [4, offset]);
    body.push(header, name, stored);
    directory.push(row, name);
    offset += header.length + name.length + stored.length;
    directorySize += row.length + name.length;
    progress((number + 1) / entries.length);
  }
  const count = entries.length;
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, directorySize], [4, offset], [2, 0]);
  return new Blob([...body, ...directory, end], { type: "application/zip" });
}

const LEFT_OUT = /(^|\/)(\.git|\.hg|\.svn|\.DS_Store|__pycache__)(\/|$)/;

// What was dropped: one ZIP as it is, else files and folders. The files of a single folder are at the ZIP's root.
export async function entriesOfDrop(transfer: DataTransfer): Promise<Entry[]> {
  const roots = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const found: Entry[] = [];
  for (const root of roots) await walk(root, "", found);
  return withoutCommonFolder(found);
}

export function entriesOfFiles(files: FileList): Entry[] {
  const entries = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, data: file as Blob }));
  return withoutCommonFolder(entries.filter(({ path }) => !LEFT_OUT.test(path)));
}

function withoutCommonFolder(entries: Entry[]): Entry[] {
  const first = entries[0]?.path.split("/")[0];
  if (entries.length === 0 || !entries.every(({ path }) => path.startsWith(`${first}/`))) return entries;
  return entries.map((entry) => ({ ...entry, path: entry.path.slice(first!.length + 1) }));
}

async function walk(entry: FileSystemEntry, folder: string, found: Entry[]): Promise<void> {
  const path = folder + entry.name;
  if (LEFT_OUT.test(path)) return;
  if (entry.isFile) {
    const data = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path, data });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) { // it gives a hundred at a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, `${path}/`, found);
  }
}
