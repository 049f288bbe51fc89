/** What the words of a kind or status column mean, in the languages that columns are found in. */
import { plainName } from "./columnnames.js";
import type { RowKind } from "./kinds.js";

/** Beginnings of words; the first list that has one decides. */
const BEGINNINGS: readonly (readonly [meaning: "skip" | "refund" | "order", words: string])[] = [
  [
    "skip",
    "cancel, void, fail, pending, draft, unpaid, on hold, expired, abandoned, declined, rejected, awaiting, not paid, refunded, returned, test, " +
      "anulowan, nieoplacon, oczekuj, odrzucon, zwrocon, w koszyku, " +
      "torol, lemondva, lemondott, fuggo, fizetesre var, sikertelen, visszateritve, visszakuldve, sztornozva, " +
      "annul, en attente, echou, non paye, impaye, refuse, remboursee, rembourse, abandonn, brouillon, " +
      "отмен, не оплач, ожида, отклон, возвращен, черновик, аннулир",
  ],
  [
    "refund",
    "refund, return, credit, chargeback, zwrot, korekta, faktura koryg, visszaterites, visszaru, visszavet, sztorno, jovairas, " +
      "remboursement, retour, avoir, возврат, сторно, корректировк",
  ],
  [
    "order",
    "order, sale, purchase, complete, paid, partially, fulfilled, shipped, delivered, processing, processed, closed, done, success, succeeded, invoice, captured, settled, " +
      "sprzedaz, zamowieni, zrealizowan, oplacon, zaplacon, wyslan, dostarczon, zakonczon, zakup, faktura, paragon, w realizacji, przyjet, " +
      "eladas, rendeles, vasarlas, teljesit, fizetve, kifizet, kiszallit, atadva, lezar, szamla, feldolgoz, kesz, " +
      "vente, commande, achat, termine, paye, livre, expedie, facture, en cours, en preparation, " +
      "продаж, заказ, покупк, выполнен, оплач, доставлен, заверш, отгруж, выдан, получен, в обработке, приход",
  ],
];

const WORDS = BEGINNINGS.map(([meaning, words]) => [meaning, words.split(", ").map(plainName)] as const);

/**
 * What a row of this text is; undefined where the words are not known. `isState`: the column says what became of an
 * order, so that one that was refunded whole counts nowhere; else it says what the row is.
 */
export function kindSaid(text: string, isState: boolean): RowKind | undefined {
  const plain = plainName(text);
  if (plain === "") return undefined;
  const meaning = WORDS.find(([, words]) => words.some((word) => plain.startsWith(word)))?.[0];
  // A cancel says which order it is about, and no row of an export does.
  return meaning === "refund" && isState ? "skip" : meaning;
}
