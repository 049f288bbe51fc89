/**
 * Memories of kernels that are used again: a seed needs several of 25 MB each, and to let go of them would have the
 * collector walk this process's whole heap for every other one.
 */
import { Buffer } from "node:buffer";

const Memory = WebAssembly.Memory;
/** What a kernel touches of its memory is a small part of it: the rest is zero still. */
const ZEROS = new Uint8Array(65_536);
const free: PooledMemory[] = [];
let taken: PooledMemory[] = [];

class PooledMemory extends Memory {
  /** It may be as large already. */
  override grow(pages: number): number {
    const pagesNow = this.buffer.byteLength / 65_536;
    return pages + 1 <= pagesNow ? 1 : super.grow(pages + 1 - pagesNow);
  }
}

function clear(bytes: Buffer): void {
  const page = ZEROS.length;
  for (let at = 0; at < bytes.length; at += page)
    if (bytes.compare(ZEROS, 0, page, at, at + page) !== 0) bytes.fill(0, at, at + page);
}

/** In the place of the constructor: `new` gives what it returns. */
function take(descriptor: WebAssembly.MemoryDescriptor): PooledMemory {
  const used = free.pop();
  if (used !== undefined) clear(Buffer.from(used.buffer));
  const memory = used ?? new PooledMemory(descriptor);
  taken.push(memory);
  return memory;
}

/** From here on memories come from those that were given back. */
export function poolMemories(): void {
  WebAssembly.Memory = take as unknown as typeof Memory;
}

/** Gives back all that were made since: nobody may look at them any more. */
export function giveBackMemories(): void {
  WebAssembly.Memory = Memory;
  free.push(...taken);
  taken = [];
}
