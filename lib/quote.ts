/** What a terminal obeys instead of showing it: control characters, line ends, and what turns the direction of text. */
const unprintable = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu;

const longest = 120;
const mostListed = 20;

/** For people: on one line, and with what is not shown as an escape. */
export function printable(text: string): string {
  return text.replace(unprintable, (found) => {
    const escaped = JSON.stringify(found).slice(1, -1);
    return escaped === found ? `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}` : escaped;
  });
}

/** A name out of a file, quoted and escaped and no longer than a line: it may hold anything. */
export function quote(name: string): string {
  return printable(JSON.stringify(name.length > longest ? `${name.slice(0, longest)}…` : name));
}

/** {@link quote}, but a name of plain letters as it is. */
export function named(name: string): string {
  return /^[\w.]+$/.test(name) && name.length <= longest ? name : quote(name);
}

/** The first of many texts, and how many more there are. */
export function listed(texts: readonly string[]): string {
  const more = texts.length - mostListed;
  return texts.slice(0, mostListed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
