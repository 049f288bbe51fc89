/** What shops, tills and accountants call the columns of an export, in English, Polish, Hungarian, French and Russian. */
import type { FileField } from "./mapping.js";

/** What a column can be: a field of the order event, or what an amount is made of. */
export type ColumnRole = FileField | "status" | "quantity" | "price";

/**
 * By role, groups of names: one of an earlier group says more surely what is meant, within a group all say the same.
 * Written as `plainName` leaves them.
 */
const GROUPS: Readonly<Record<ColumnRole, readonly (readonly string[])[]>> = {
  id: [
    [
      "order id, order no, order number, order nr, order ref, order reference, order code, invoice no, invoice number, invoice id, transaction id, transaction no, transaction number, receipt no, receipt number, receipt id, purchase id, sale id, sales order, document number",
      "id zamowienia, nr zamowienia, numer zamowienia, nr faktury, numer faktury, id transakcji, nr transakcji, numer transakcji, nr paragonu, numer paragonu, nr dokumentu, numer dokumentu",
      "rendelesszam, rendeles szama, rendelesi szam, rendeles azonosito, rendelesazonosito, rendeles azonositoja, rendeles id, megrendelesszam, megrendeles szama, szamlaszam, szamla szama, szamla sorszama, bizonylatszam, nyugtaszam, tranzakcio azonosito",
      "numero de commande, numero commande, numero de la commande, n commande, n de commande, no commande, no de commande, id commande, ref commande, reference commande, reference de la commande, numero de facture, numero facture, n facture, id transaction, numero de ticket",
      "номер заказа, no заказа, n заказа, id заказа, ид заказа, код заказа, заказ no, номер чека, no чека, номер счета, номер накладной, номер документа, id транзакции, номер транзакции",
    ],
    [
      "order, invoice, transaction, receipt, ticket, zamowienie, faktura, paragon, transakcja, rendeles, szamla, nyugta, commande, facture, заказ, чек, накладная, транзакция",
    ],
    ["id, name, number, reference, ref, numer, azonosito, sorszam, numero, identifiant, номер, ид"],
    ["no, nr, n, lp, row id, line id"],
  ],
  customer: [
    [
      "customer id, customer no, customer number, customer nr, customer code, customer key, cust id, client id, client no, client number, buyer id, user id, account id, member id, shopper id, contact id, loyalty card",
      "id klienta, nr klienta, numer klienta, kod klienta, identyfikator klienta, klient id, id kupujacego, id kontrahenta, nr kontrahenta, kod kontrahenta, numer karty, nr karty",
      "ugyfel azonosito, ugyfelazonosito, ugyfel azonositoja, ugyfelkod, ugyfel kod, ugyfelszam, ugyfel id, vevo azonosito, vevoazonosito, vevo azonositoja, vevokod, vevo kod, vevoszam, vevo id, vasarlo azonosito, vasarlo azonositoja, vasarlo id, torzsvasarloi szam",
      "id client, identifiant client, identifiant du client, numero client, numero de client, n client, no client, code client, ref client, reference client, carte de fidelite",
      "id клиента, ид клиента, код клиента, номер клиента, no клиента, идентификатор клиента, id покупателя, ид покупателя, код покупателя, клиент id, номер карты",
    ],
    [
      "customer, client, buyer, user, member, account, shopper, klient, klientka, kupujacy, nabywca, kontrahent, ugyfel, vevo, vasarlo, megrendelo, acheteur, клиент, покупатель, заказчик, контрагент",
    ],
    [
      "email, e mail, mail, email address, e mail address, customer email, customer e mail, client email, buyer email, billing email, adres email, adres e mail, email klienta, e mail klienta, email kupujacego, email cim, e mail cim, vevo email, vevo e mail, ugyfel email, ugyfel e mail, adresse email, adresse e mail, email client, e mail client, courriel, электронная почта, эл почта, почта, email клиента, e mail клиента, email покупателя",
    ],
    [
      "customer name, client name, buyer name, full name, phone, phone number, imie i nazwisko, nazwa klienta, nazwisko, telefon, nr telefonu, nev, vevo neve, ugyfel neve, vasarlo neve, telefonszam, nom, nom client, nom du client, telephone, фио, имя клиента, имя, имя покупателя, телефон",
    ],
  ],
  time: [
    [
      "order date, order time, order datetime, order timestamp, ordered at, order created at, created at, created, date created, creation date, created on, purchase date, purchased at, purchase time, transaction date, transaction time, sale date, placed at",
      "data zamowienia, data zlozenia zamowienia, data zlozenia, data zakupu, data transakcji, data utworzenia, data sprzedazy, czas zamowienia",
      "rendeles datuma, rendeles ideje, rendeles idopontja, rendeles napja, rendelesi datum, megrendeles datuma, megrendeles ideje, vasarlas datuma, vasarlas ideje, letrehozva, letrehozas datuma, eladas datuma",
      "date de commande, date commande, date de la commande, date d achat, date achat, date de creation, date creation, date de vente, date vente, commande le, cree le, date de la vente",
      "дата заказа, дата и время заказа, время заказа, дата покупки, дата создания, дата продажи, дата операции, дата транзакции, создан",
    ],
    [
      "date, time, datetime, date time, date and time, timestamp, ts, day, when, data, czas, data i godzina, data i czas, datum, idopont, ido, nap, horodatage, date heure, date et heure, jour, дата, время, дата и время, дата время, день",
    ],
    [
      "paid at, date paid, payment date, processed at, completed at, invoice date, invoicedate, data platnosci, data faktury, data wystawienia, fizetes datuma, szamla kelte, kelt, kelte, teljesites datuma, teljesites, date de paiement, date de facture, date facture, date de facturation, дата оплаты, дата чека, дата документа, дата счета",
    ],
  ],
  amount: [
    [
      "order total, grand total, total amount, amount total, total price, total paid, amount paid, order value, order amount, total value, total gross, gross total, gross amount, total incl tax, total incl vat, total sales, total spent, current total price",
      "kwota zamowienia, wartosc zamowienia, suma zamowienia, kwota brutto, wartosc brutto, suma brutto, razem brutto, do zaplaty, kwota do zaplaty, laczna kwota, laczna wartosc, wartosc calkowita",
      "rendeles osszege, rendeles erteke, rendeles vegosszege, vegosszeg, brutto osszeg, brutto vegosszeg, brutto ertek, fizetendo, fizetendo osszeg, teljes osszeg, mindosszesen, osszes brutto",
      "montant total, total ttc, montant ttc, total commande, total de la commande, montant commande, montant de la commande, prix total, prix total ttc, valeur de la commande, montant total ttc",
      "сумма заказа, стоимость заказа, итоговая сумма, общая сумма, к оплате, итого к оплате, сумма к оплате, сумма с ндс, общая стоимость, сумма покупки, сумма чека",
    ],
    [
      "amount, total, sum, value, revenue, sales, gross, turnover, spend, spent, kwota, wartosc, suma, razem, brutto, zaplacono, obrot, przychod, osszeg, osszesen, ertek, bevetel, forgalom, montant, somme, valeur, ttc, ca, chiffre d affaires, сумма, итого, всего, стоимость, выручка, оплачено, оборот",
    ],
    [
      "subtotal, sub total, net amount, net total, net, net value, kwota netto, wartosc netto, netto, suma netto, netto osszeg, netto ertek, total ht, montant ht, sous total, ht, сумма без ндс, подытог",
    ],
  ],
  price: [
    [
      "unit price, unitprice, item price, price per unit, lineitem price, cena jednostkowa, cena jedn, cena za sztuke, egysegar, brutto egysegar, prix unitaire, pu, prix unitaire ttc, цена за единицу, цена за шт, цена за штуку",
    ],
    ["price, cena, cena brutto, ar, brutto ar, prix, prix ttc, цена"],
  ],
  quantity: [
    [
      "quantity, qty, units, pieces, lineitem quantity, ilosc, sztuk, szt, liczba sztuk, mennyiseg, darab, db, darabszam, quantite, qte, qty ordered, количество, кол во, кол, шт",
    ],
  ],
  currency: [
    [
      "currency, currency code, ccy, order currency, waluta, kod waluty, penznem, deviza, valuta, devise, monnaie, code devise, валюта, код валюты",
    ],
  ],
  channel: [
    [
      "channel, sales channel, order channel, kanal, kanal sprzedazy, csatorna, ertekesitesi csatorna, canal, canal de vente, канал, канал продаж",
    ],
    ["marketplace, store, shop, source, sklep, zrodlo, uzlet, bolt, forras, magasin, boutique, магазин, источник"],
  ],
  kind: [
    [
      "kind, order type, transaction type, document type, typ transakcji, typ zamowienia, typ dokumentu, rodzaj dokumentu, rodzaj transakcji, tranzakcio tipusa, bizonylat tipusa, rendeles tipusa, type de transaction, type de document, тип операции, вид операции, тип документа, тип транзакции",
    ],
    ["type, typ, rodzaj, tipus, fajta, nature, operacja, operation, muvelet, тип, вид, операция"],
  ],
  status: [
    [
      "status, order status, state, order state, financial status, payment status, status zamowienia, stan zamowienia, stan, statusz, allapot, rendeles allapota, rendeles statusza, statut, etat, statut de la commande, statut commande, etat de la commande, статус, статус заказа, состояние, состояние заказа",
    ],
  ],
  order: [
    [
      "original order, original order id, original order no, original invoice, parent order, parent id, refunded order, related order, zamowienie pierwotne, nr zamowienia pierwotnego, faktura korygowana, eredeti rendeles, eredeti rendelesszam, eredeti szamla, commande d origine, commande initiale, facture d origine, исходный заказ, номер исходного заказа, заказ основание",
    ],
  ],
  version: [
    [
      "version, updated at, modified at, last modified, last updated, date modified, wersja, data aktualizacji, data modyfikacji, verzio, modositva, modositas datuma, frissitve, date de modification, date de mise a jour, mis a jour le, версия, обновлен, обновлено, изменен, дата изменения, дата обновления",
    ],
  ],
  test: [
    ["test, is test, test order, zamowienie testowe, testowe, teszt, teszt rendeles, commande de test, тест, тестовый"],
  ],
};

/** Letters that no decomposition turns into a plain one. */
const PLAIN: Readonly<Record<string, string>> = { ł: "l", đ: "d", ø: "o", ß: "ss", œ: "oe", æ: "ae", ı: "i" };
/** Words in a name that say a currency, or that amounts are whole minor units. */
const CURRENCY_WORDS: Readonly<Record<string, string>> = {
  zl: "PLN",
  zlotych: "PLN",
  ft: "HUF",
  forint: "HUF",
  euro: "EUR",
  euros: "EUR",
  руб: "RUB",
  рублеи: "RUB",
  р: "RUB",
  грн: "UAH",
  kc: "CZK",
  "€": "EUR",
  "£": "GBP",
  "₽": "RUB",
  "₴": "UAH",
};
const MINOR_WORDS = new Set("cents cent pence minor grosze groszy gr centimes filler копеики копеек коп".split(" "));
const CODES = new Set(Intl.supportedValuesOf("currency").map((code) => code.toLowerCase()));

/** `Data_zamówienia (UTC)`, `dataZamowienia`, `DATA ZAMÓWIENIA`: all `data zamowienia`, the zone aside. */
export function plainName(text: string): string {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .toLowerCase()
    .replace(/[łđøßœæı]/g, (letter) => PLAIN[letter] ?? letter)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}€£₽₴]+/gu, " ")
    .trim();
}

export interface NamedColumn {
  /** What it can be, by its name, with how surely: 100 for the surest, less for what says less. */
  readonly roles: ReadonlyMap<ColumnRole, number>;
  /** ISO 4217, where the name says one: `Kwota (PLN)`. */
  readonly currency: string | undefined;
  /** The name says cents, pence, grosze. */
  readonly minor: boolean;
}

const NAMES = new Map<string, Map<ColumnRole, number>>();
for (const [role, groups] of Object.entries(GROUPS)) {
  for (const [group, lists] of groups.entries()) {
    for (const name of lists.flatMap((list) => list.split(", "))) {
      const roles = NAMES.get(plainName(name)) ?? new Map<ColumnRole, number>();
      roles.set(role as ColumnRole, 100 - 10 * group);
      NAMES.set(plainName(name), roles);
    }
  }
}

/** A name that only begins or ends like a known one says less; these words say it is something else. */
const OTHERWISE =
  /(?:^| )(?:ship|shipped|shipping|delivery|delivered|birth|due|tax|vat|discount|product|item|sku|urodzenia|dostawy|wysylki|rabat|vat|produktu|szuletesi|szallitas|szallitasi|kedvezmeny|termek|afa|naissance|livraison|remise|produit|tva|рождения|доставки|доставка|скидка|товара|товар|ндс)(?: |$)/u;
const PART = 45;

/** What a column can be, by its name alone. */
export function columnNamed(text: string): NamedColumn {
  const words = plainName(text).split(" ").filter(Boolean);
  let currency: string | undefined;
  let minor = false;
  const kept = words.filter((word, i) => {
    const said =
      CURRENCY_WORDS[word] ?? (CODES.has(word) && words.length > 1 && i > 0 ? word.toUpperCase() : undefined);
    if (said !== undefined && words.length > 1) currency = said;
    else if (MINOR_WORDS.has(word)) minor = true;
    else return word !== "utc" && word !== "gmt" && word !== "cet" && word !== "cest";
    return false;
  });
  const name = kept.join(" ");
  const roles = NAMES.get(name) ?? partly(name);
  return { roles, currency, minor };
}

function partly(name: string): ReadonlyMap<ColumnRole, number> {
  const roles = new Map<ColumnRole, number>();
  if (name === "" || OTHERWISE.test(`${name} `)) return roles;
  for (const [known, each] of NAMES) {
    if (known.length < 4 || !(name.startsWith(`${known} `) || name.endsWith(` ${known}`))) continue;
    for (const [role, sure] of each) roles.set(role, Math.max(roles.get(role) ?? 0, sure - PART));
  }
  return roles;
}
