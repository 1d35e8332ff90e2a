import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

/** The longest text of an SVG that is drawn, in bytes: it is searched on the thread of JavaScript. */
const maxTextBytes = 4 << 20;

/** The most characters of it that are written as escapes, which are slow to search. */
const maxEscapes = 20_000;

/** What costs more than the size of an SVG tells, and what could hide it; each with what a message calls it. */
const refused: readonly [RegExp, string][] = [
  // 300 of its primitives on 50 shapes are 20 kB, and take librsvg minutes that nothing ends
  [/<(?:[^\s<>/"'=]+:)?filter[\s/>]/, 'a filter'],
  [
    /(?<![\w.-])(?:blur|brightness|contrast|drop-shadow|grayscale|hue-rotate|invert|opacity|saturate|sepia)\(/i,
    'a filter function',
  ],
  // Illustrator names the addresses of its namespaces so
  [
    /<!ENTITY(?!\s+[\w.-]+\s+(?:"https?:\/\/[\w.:/#?=-]*"|'https?:\/\/[\w.:/#?=-]*')\s*>)/,
    'an entity that is no address',
  ],
  [/["'(][\0-\x20]*d\s*a\s*t\s*a\s*:(?!image\/(?:png|jpe?g|gif|webp)[;,])/i, 'a data: URL of no picture'],
  [
    /^(?:\xef\xbb\xbf)?<\?xml\s[^>]*encoding\s*=\s*["'](?!utf-8|us-ascii|iso-8859-|windows-125)/i,
    'an unusual encoding',
  ],
  [
    /<(?:[^\s<>/"'=]+:)?style(?![\w.-])(?!(?:\s[^<>]*)?(?:\/>|>[^<]*(?:<!\[CDATA\[[^<]*)?<\/))/,
    'markup within a style',
  ],
];

/** Why an SVG, compressed or not, is not drawn; undefined where it is. */
export async function svgFault(svg: Uint8Array): Promise<string | undefined> {
  const tooLong = `is longer than ${maxTextBytes} bytes`;
  if (svg.length > maxTextBytes) return tooLong;
  let bytes = svg;
  if (svg[0] === 0x1f && svg[1] === 0x8b) {
    try {
      bytes = await promisify(gunzip)(svg, { maxOutputLength: maxTextBytes });
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? tooLong
        : 'is badly compressed';
    }
  }
  const written = Buffer.from(bytes).toString('latin1');
  if (written.split(/\\|&#/, maxEscapes + 1).length > maxEscapes) return `has over ${maxEscapes} escapes`;
  const read = unescaped(written);
  const found = refused.find(([pattern]) => pattern.test(written) || pattern.test(read));
  return found && `contains ${found[1]}`;
}

/** With the character references of XML and the escapes of CSS resolved, and without the bounds of CDATA. */
function unescaped(text: string): string {
  return text
    .replace(/&#(?:x([\da-f]+)|(\d+));/gi, (_, hex, decimal) => character(hex ? `0x${hex}` : decimal))
    .replace(/\\(?:([\da-f]{1,6})\s?|(.))/gi, (_, hex, other) => (hex ? character(`0x${hex}`) : other))
    .replace(/<!\[CDATA\[|\]\]>/g, '');
}

function character(code: string): string {
  return Number(code) <= 0x10ffff ? String.fromCodePoint(Number(code)) : '';
}
