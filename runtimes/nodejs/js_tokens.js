// Cuts the text of a JavaScript file into tokens: finds where comments, strings, templates, regular expressions, numbers and words end.
// What they mean is decided by the class that extends it: each goes to its take(), after openBracket(), closeBracket(), takeWord() or
// takePunctuator() where it is one of these. One pass, no recursion; what no JavaScript engine would take may be cut in any way.
'use strict';

const [TAB, LF, CR, SPACE, BANG, QUOTE, HASH, DOLLAR, APOSTROPHE, OPEN, CLOSE, STAR, PLUS, COMMA, MINUS, DOT, SLASH, COLON, SEMICOLON, LESS,
  EQUALS, GREATER, QUESTION, OPEN_BRACKET, BACKSLASH, CLOSE_BRACKET, TICK, OPEN_BRACE, CLOSE_BRACE] =
  [...'\t\n\r !"#$\'()*+,-./:;<=>?[\\]`{}'].map((character) => character.charCodeAt(0));
// Of tokens of one character the token is its code.
const ARROW = -1;
const OPTIONAL_DOT = -2;
const NUMBER = -3;
const STRING = -4;
const OTHER = -5;
const WORD = -6;
const START = -7;

const ESCAPED_WORD = /(?:[^\0-\x7f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]|[\w$]|\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\})+/y;
const MAX_ESCAPED = 128; // no word that matters is longer
const ESCAPABLE = new Set(['exports', 'module', 'handler']);

const isLineEnd = (c) => c === LF || c === CR || c === 0x2028 || c === 0x2029;
const isWideSpace = (c) => c === 0xa0 || c === 0xfeff || c === 0x2028 || c === 0x2029 || c === 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
  c === 0x202f || c === 0x205f || c === 0x3000;
const isDigit = (c) => c >= 48 && c <= 57;
const WORD_PART = new Uint8Array(128);
for (const character of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$') WORD_PART[character.charCodeAt(0)] = 1;
const isWordPart = (c) => (c < 128 ? WORD_PART[c] === 1 : !isWideSpace(c));

class Tokens {
  // `words` are those that matter; the others are all one.
  constructor(text, words) {
    this.text = text;
    this.words = words;
    this.longestWord = Math.max(...[...words].map((word) => word.length));
    this.at = 0;
    this.token = START; // the last one
    this.word = ''; // if it is a word that matters, or a string of the same letters
    this.operand = false; // it ends an operand: a slash behind it divides
    this.lineBreak = false; // there is one between it and the next
    this.noRegexBefore = 0; // up to there no regular expression ends
    if (text.charCodeAt(0) === 0xfeff) this.at = 1;
    if (text.startsWith('#!', this.at)) this.skipLine();
  }

  step(c) {
    if (c < 128 ? WORD_PART[c] === 1 && !isDigit(c) : !isWideSpace(c)) return this.readWord();
    if (c === SPACE || c === TAB || c === 11 || c === 12) return void (this.at += 1);
    if (c === LF || c === CR || c >= 128) {
      if (isLineEnd(c)) this.lineBreak = true;
      return void (this.at += 1);
    }
    const next = this.text.charCodeAt(this.at + 1);
    if (isDigit(c) || (c === DOT && isDigit(next))) return this.readNumber(c, next);
    switch (c) {
      case QUOTE: case APOSTROPHE: return this.readString(c);
      case TICK: return this.beginTemplate();
      case SLASH: return this.readSlash(next);
      case OPEN: case OPEN_BRACKET: case OPEN_BRACE: return this.openBracket(c);
      case CLOSE: case CLOSE_BRACKET: case CLOSE_BRACE: return this.closeBracket(c);
      case BACKSLASH: return this.readWord();
      default: return this.takePunctuator(c, next);
    }
  }

  readWord() {
    const { text } = this;
    const begin = this.at;
    let end = begin;
    let c = text.charCodeAt(end);
    while (end < text.length && isWordPart(c)) c = text.charCodeAt(++end);
    let word = '';
    if (c === BACKSLASH) {
      [word, end] = this.readEscapedWord(begin);
    } else if (end - begin > 1 && end - begin <= this.longestWord) {
      const text = this.text.slice(begin, end);
      if (this.words.has(text)) word = text;
    }
    this.takeWord(word, end - begin);
  }

  // Keywords can't be written with escapes, names can.
  readEscapedWord(begin) {
    ESCAPED_WORD.lastIndex = begin;
    const [found] = ESCAPED_WORD.exec(this.text) ?? [''];
    if (found === '') return ['', begin + 1];
    if (found.length > MAX_ESCAPED) return ['', begin + found.length];
    const name = found.replace(/\\u\{?([0-9a-fA-F]+)\}?/g, (_, digits) => String.fromCodePoint(Math.min(parseInt(digits, 16), 0x10ffff)));
    return [ESCAPABLE.has(name) ? name : '', begin + found.length];
  }

  readNumber(c, next) {
    const { text } = this;
    let end = this.at + 1;
    const plain = c !== 48 || isDigit(next) || next === DOT;
    let dots = c === DOT ? 1 : 0;
    for (; end < text.length; ++end) {
      const d = text.charCodeAt(end);
      if (d === DOT && plain && dots === 0) dots = 1;
      else if ((d === PLUS || d === MINUS) && plain && (text.charCodeAt(end - 1) | 32) === 101) continue;
      else if (!(d < 128 && WORD_PART[d] === 1)) break;
    }
    this.take(NUMBER, end - this.at, true);
  }

  readString(quote) {
    const { text } = this;
    let end = this.at + 1;
    let c = text.charCodeAt(end);
    while (end < text.length && c !== quote && c !== LF && c !== CR) {
      if (c === BACKSLASH) end += text.charCodeAt(end + 1) === CR && text.charCodeAt(end + 2) === LF ? 2 : 1;
      c = text.charCodeAt(++end);
    }
    const size = Math.min(end + 1, text.length) - this.at;
    this.take(STRING, size, true, size === 9 && text.startsWith('exports', this.at + 1) ? 'exports' : '');
  }

  beginTemplate() {
    if (this.text.startsWith('`exports`', this.at)) return this.take(STRING, 9, true, 'exports');
    this.take(STRING, 1, true);
    this.readTemplate();
  }

  // On from its beginning, or from the end of an expression in it.
  readTemplate() {
    const { text } = this;
    for (; this.at < text.length; ++this.at) {
      const c = text.charCodeAt(this.at);
      if (c === BACKSLASH) this.at += 1;
      else if (c === TICK) break;
      else if (c === DOLLAR && text.charCodeAt(this.at + 1) === OPEN_BRACE) return this.openInTemplate();
    }
    this.at += 1;
    [this.token, this.word, this.operand] = [STRING, '', true];
  }

  readSlash(next) {
    const { text } = this;
    if (next === SLASH) return this.skipLine();
    if (next === STAR) {
      const end = text.indexOf('*/', this.at + 2);
      const stop = end < 0 ? text.length : end + 2;
      for (let n = this.at; !this.lineBreak && n < stop; ++n) this.lineBreak = isLineEnd(text.charCodeAt(n));
      this.at = stop;
      return;
    }
    const end = this.operand ? -1 : this.endOfRegex();
    if (end < 0) this.take(OTHER, 1, false);
    else this.take(STRING, end - this.at, true);
  }

  endOfRegex() {
    const { text } = this;
    if (this.at < this.noRegexBefore) return -1;
    let inClass = false;
    let n = this.at + 1;
    for (; n < text.length; ++n) {
      const c = text.charCodeAt(n);
      if (isLineEnd(c)) break;
      if (c === BACKSLASH) n += 1;
      else if (c === OPEN_BRACKET) inClass = true;
      else if (c === CLOSE_BRACKET) inClass = false;
      else if (c === SLASH && !inClass) {
        for (n += 1; n < text.length && isWordPart(text.charCodeAt(n)); ++n);
        return n;
      }
    }
    this.noRegexBefore = n;
    return -1;
  }

  skipLine() {
    const { text } = this;
    while (this.at < text.length && !isLineEnd(text.charCodeAt(this.at))) this.at += 1;
  }
}

module.exports = {
  Tokens, isDigit, ARROW, BANG, CLOSE, CLOSE_BRACE, COLON, COMMA, DOT, EQUALS, GREATER, HASH, LESS, MINUS, OPEN, OPEN_BRACE, OPEN_BRACKET,
  OPTIONAL_DOT, OTHER, PLUS, QUESTION, SEMICOLON, STAR, START, WORD,
};
