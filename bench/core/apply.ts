// The kernel as it is, with a border of its own for orders that are decoded already: they lie in the input region, a
// 96-byte Item each behind the texts that they name, and are handed to the kernel a block at a time.
//
//   INPUT | id texts: orders × ID_BYTES | Items: orders × ITEM_BYTES |
import { applyBlock, beginItems } from "../../core/kernel";
