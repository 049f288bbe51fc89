/** Letters beyond ASCII that texts of a language have, and the encoding of one byte a character they were written in. */

export const ALPHABETS = [
  { language: "Polish", encoding: "windows-1250", letters: "ąćęłńóśźż" },
  { language: "Hungarian", encoding: "windows-1250", letters: "áéíóöőúüű" },
  { language: "Czech or Slovak", encoding: "windows-1250", letters: "áčďéěíĺľňóôŕřšťúůýž" },
  { language: "Russian", encoding: "windows-1251", letters: "абвгдеёжзийклмнопрстуфхцчшщъыьэюя" },
  { language: "French", encoding: "windows-1252", letters: "àâæçèéêëîïôœùûüÿ" },
  { language: "German", encoding: "windows-1252", letters: "äöüßé" },
  { language: "Spanish or Italian", encoding: "windows-1252", letters: "áéíóúüñàèìòùªº" },
] as const;

/** Signs that any of them may hold. */
export const PUNCTUATION = "€£§°«»„“”‘’–—…•№\u00a0";
