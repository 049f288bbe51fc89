/** Rows of a CSV file become events by where their columns stand. */
import type { CsvRow } from "./csv.js";
import { type Columns, type FileField, Mapping, type MappingOptions } from "./mapping.js";

export function csvMapping({ fields, expression, operands }: Columns, options: MappingOptions): Mapping<CsvRow> {
  const { rowIds } = options;
  const lookup = ({ cells, number }: CsvRow, field: FileField) => {
    const column = fields[field];
    if (column >= 0) return cells[column]; // an index of −1 would be looked up as a name, slowly
    return field === "id" && rowIds !== undefined ? `${rowIds}${number}` : undefined;
  };
  const product = expression && {
    expression,
    lookup: ({ cells }: CsvRow, n: number) => cells[operands[n] as number],
  };
  return new Mapping(options, lookup, product);
}
