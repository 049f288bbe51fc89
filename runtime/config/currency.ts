/** Minor units of currencies, as ISO 4217 lists them. Two decimals is the rule; here are the exceptions. */

const DECIMALS: Readonly<Record<number, string>> = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMN TND",
  4: "CLF UYW",
};

const EXCEPTIONS = new Map(
  Object.entries(DECIMALS).flatMap(([decimals, codes]) => codes.split(" ").map((code) => [code, Number(decimals)])),
);

/** Decimals of a currency's minor unit: EUR 2, JPY 0, KWD 3. A code that is not listed has 2. */
export function currencyDecimals(currency: string): number {
  return EXCEPTIONS.get(currency) ?? 2;
}

/** The codes whose decimals are not 2, with them. */
export function currencyExceptions(): ReadonlyMap<string, number> {
  return EXCEPTIONS;
}
