/**
 * Memories of kernels that are used again: a seed needs several of 25 MB each, and to let go of them would have the
 * collector walk this process's whole heap for every other one.
 */
const Memory = WebAssembly.Memory;
const free: PooledMemory[] = [];
let taken: PooledMemory[] = [];

class PooledMemory extends Memory {
  /** It may be as large already. */
  override grow(pages: number): number {
    const pagesNow = this.buffer.byteLength / 65_536;
    return pages + 1 <= pagesNow ? 1 : super.grow(pages + 1 - pagesNow);
  }
}

/** In the place of the constructor: `new` gives what it returns. */
function take(descriptor: WebAssembly.MemoryDescriptor): PooledMemory {
  const used = free.pop();
  if (used !== undefined) new Uint8Array(used.buffer).fill(0);
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
