/** Names of the months in English, Polish, Hungarian, French and Russian, as shops and spreadsheets write them. */

/** January first; the forms of one month are separated by spaces. */
const NAMES = [
  "january jan styczeń stycznia sty január janvier janv январь января янв",
  "february feb luty lutego lut február febr février févr фев февраль февраля февр",
  "march mar marzec marca március márc mars март марта мар",
  "april apr kwiecień kwietnia kwi április ápr avril avr апрель апреля апр",
  "may maj maja május máj mai май мая",
  "june jun czerwiec czerwca cze június jún juin июнь июня июн",
  "july jul lipiec lipca lip július júl juillet juil июль июля июл",
  "august aug sierpień sierpnia sie augusztus août август августа авг",
  "september sept sep wrzesień września wrz szeptember szept szep septembre сентябрь сентября сент сен",
  "october oct październik października paź október okt octobre октябрь октября окт",
  "november nov listopad listopada lis novembre ноябрь ноября нояб ноя",
  "december dec grudzień grudnia gru décembre déc декабрь декабря дек",
];

const MONTHS = new Map(
  NAMES.flatMap((names, month) => names.split(" ").map((name) => [folded(name), month + 1] as const)),
);

/** 1 to 12; undefined for a word that names no month. Case, accents and a full stop after it do not matter. */
export function monthOf(word: string): number | undefined {
  return MONTHS.get(folded(word.replace(/\.$/, "")));
}

function folded(word: string): string {
  return word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
