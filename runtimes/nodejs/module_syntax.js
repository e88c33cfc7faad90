// Tells from the text of a JavaScript file whether it offers something to import, without running it: an export of an ES module, or
// a use of CommonJS's exports. Words in comments, strings, templates and regular expressions do not count, nor do property names,
// nor an `exports` that is a function's own parameter, as bundlers name those of the modules inside. One pass, no recursion.
'use strict';

const {
  Tokens, isDigit, ARROW, BANG, CLOSE, CLOSE_BRACE, COLON, COMMA, DOT, EQUALS, GREATER, HASH, LESS, MINUS, OPEN, OPEN_BRACE, OPEN_BRACKET,
  OPTIONAL_DOT, OTHER, PLUS, QUESTION, SEMICOLON, STAR, START, WORD,
} = require('./js_tokens.js');

const OPERATOR_WORDS = new Set(['return', 'typeof', 'case', 'do', 'else', 'in', 'instanceof', 'new', 'void', 'delete', 'throw', 'yield',
  'await', 'default', 'extends', 'export', 'import']);
const BLOCK_WORDS = new Set(['else', 'do', 'try', 'finally', 'static', 'default']);
const HEAD_WORDS = new Set(['if', 'while', 'for', 'with', 'switch']);
const DECLARING_WORDS = new Set(['var', 'let', 'const', 'function', 'class', 'as']);
const NAMING_WORDS = new Set(['typeof', 'break', 'continue']); // to ask for it is not to use it; the others name a label
const METHOD_WORDS = new Set(['get', 'set', 'async', 'static']);
const WORDS = new Set([...OPERATOR_WORDS, ...BLOCK_WORDS, ...HEAD_WORDS, ...DECLARING_WORDS, ...NAMING_WORDS, ...METHOD_WORDS, 'catch',
  'exports', 'module', 'this', 'handler']);

const PUNCTUATORS = new Set([DOT, COMMA, SEMICOLON, COLON, EQUALS, QUESTION, STAR, HASH]); // that matter
const STATEMENT_BEGINS_BEHIND = new Set([START, SEMICOLON, OPEN_BRACE, CLOSE_BRACE]);

// What a bracket opens.
const TOP = 0;
const PAREN = 1;
const HEAD = 2; // parentheses of if, while, for and so on, behind which a statement begins
const PARAMETERS = 3;
const BRACKET = 4;
const OBJECT = 5;
const PATTERN = 6; // what var, let, const or import take apart
const BLOCK = 7;
const BODY = 8; // of a function
const ARROW_BODY = 9;
const CLASS = 10;
const TEMPLATE = 11;

// The names that functions may have for themselves.
const EXPORTS = 1;
const MODULE = 2;

class Scanner extends Tokens {
  constructor(text, esm) {
    super(text, WORDS);
    this.offers = false;
    this.esm = esm;
    this.tokenBefore = START; // the one before the last
    this.wordBefore = '';
    this.held = false; // the last is an `exports` of which the next tells what it is
    this.heldIsName = false; // a method's or property's name, if a parenthesis or a colon comes
    this.closed = null; // what the last one, a parenthesis, ended
    this.chain = ''; // how far the last ones spell `module.exports`, `this.handler =`, `import.meta`, `export { }`
    this.isProperty = false; // the last is a name behind a dot
    this.functionHead = 0; // a function's head has begun: 1 as a statement, 2 in an expression
    this.classHead = -1; // the depth at which a class' head has begun
    this.classInExpression = false;
    this.arrowOwn = 0; // the names that the parameters before an arrow are
    this.functions = 0; // how many functions are open, arrow functions too
    this.thises = 0; // how many of them have a `this` of their own

    // Of each bracket that is open:
    this.kinds = [TOP];
    this.own = [0]; // the names that are a function's own in it,
    this.ownBefore = [0]; // and were before an arrow function without braces began in it
    this.waitsIn = [-1]; // the parenthesis that may yet turn out to be a list of parameters: uses in it wait until it is closed
    this.waiting = [0];
    this.questions = [0]; // how many ? lack their colon
    this.expression = [false]; // an operand ends with it
  }

  get depth() { return this.kinds.length - 1; }
  get kind() { return this.kinds[this.kinds.length - 1]; }

  scan() {
    const { text } = this;
    while (this.at < text.length && !this.offers) this.step(text.charCodeAt(this.at));
    if (!this.offers) this.decide(START, '');
    return { offers: this.offers, esm: this.esm };
  }

  // --- tokens

  take(token, size, operand, word = '') {
    if (this.held || this.closed !== null || this.chain !== '') this.decide(token, word);
    this.tokenBefore = this.token;
    this.wordBefore = this.word;
    this.token = token;
    this.word = word;
    this.operand = operand;
    this.isProperty = false;
    this.lineBreak = false;
    this.at += size;
  }

  takePunctuator(c, next) {
    if (c === LESS && next === BANG && !this.esm && this.text.startsWith('<!--', this.at)) return this.skipLine();
    if (c === MINUS && next === MINUS && this.text.charCodeAt(this.at + 2) === GREATER && (this.lineBreak || this.token === START)) {
      return this.skipLine();
    }
    if (c === EQUALS && next === GREATER) return this.takeArrow();
    if (c === QUESTION && next === DOT && !isDigit(this.text.charCodeAt(this.at + 2))) return this.take(OPTIONAL_DOT, 2, false);
    if (c === DOT && next === DOT) return this.take(OTHER, 3, false);
    if ((c === PLUS || c === MINUS) && next === c) return this.take(OTHER, 2, this.operand);
    if (next === EQUALS && (c === EQUALS || c === BANG || c === LESS || c === GREATER)) { // it compares, and assigns nothing
      return this.take(OTHER, this.text.charCodeAt(this.at + 2) === EQUALS ? 3 : 2, false);
    }
    if (c === QUESTION) {
      if (next === QUESTION) return this.take(OTHER, 2, false);
      this.questions[this.depth] += 1;
    }
    this.take(PUNCTUATORS.has(c) ? c : OTHER, 1, false);
    if (c === COLON) this.endQuestion();
    if (c === COMMA || c === SEMICOLON) this.endArrow();
    if (c === SEMICOLON) this.questions[this.depth] = 0;
  }

  // Whether a colon is the second half of a ? : decides what a brace behind it opens.
  endQuestion() {
    if (this.questions[this.depth] === 0) return;
    this.questions[this.depth] -= 1;
    this.token = OTHER;
  }

  takeArrow() {
    this.arrowOwn = 0;
    this.take(ARROW, 2, false);
    this.own[this.depth] |= this.arrowOwn; // until what is behind it ends
  }

  endArrow() {
    this.own[this.depth] = this.ownBefore[this.depth];
  }

  takeWord(word, size) {
    const { token, kind } = this;
    if (this.lineBreak && this.operand) this.endArrow(); // a statement begins with it
    if (token === DOT || token === OPTIONAL_DOT || token === HASH) {
      this.take(WORD, size, true, word === 'exports' || word === 'handler' ? word : '');
      this.isProperty = true;
      return;
    }
    const declared = DECLARING_WORDS.has(this.word) || this.word === 'import';
    const isName = (kind === OBJECT && (token === OPEN_BRACE || token === COMMA || token === STAR || METHOD_WORDS.has(this.word))) ||
      (kind === CLASS && (token !== EQUALS && (token === OPEN_BRACE || token === SEMICOLON || token === CLOSE_BRACE || token === STAR ||
        METHOD_WORDS.has(this.word) || this.lineBreak)));
    const inExpression = word === 'function' || word === 'class' ? this.isInExpression() : false;
    const isNoUse = NAMING_WORDS.has(this.word);
    this.take(WORD, size, !OPERATOR_WORDS.has(word), word);
    if (word === '') return;
    if (word === 'exports') {
      this.held = !this.isDeclared(EXPORTS, declared) && !isNoUse;
      this.heldIsName = isName;
    } else if (word === 'module') this.chain = this.isDeclared(MODULE, declared) ? '' : 'module';
    else if (isName) return;
    else if (word === 'function') this.functionHead = inExpression ? 2 : 1;
    else if (word === 'class') [this.classHead, this.classInExpression] = [this.depth, inExpression];
    else if (word === 'this') this.chain = this.thises === 0 ? 'this' : '';
    else if (word === 'import') this.chain = 'import';
    else if (word === 'export' && this.depth === 0) [this.esm, this.chain] = [true, 'export'];
  }

  // --- brackets

  push(kind, own, expression) {
    const { depth } = this;
    const inherited = this.own[depth] | own;
    this.waitsIn.push(kind === PAREN || kind === PARAMETERS ? depth + 1 : kind === OBJECT || kind === BRACKET ? this.waitsIn[depth] : -1);
    this.kinds.push(kind);
    this.own.push(inherited);
    this.ownBefore.push(inherited);
    this.waiting.push(0);
    this.questions.push(0);
    this.expression.push(expression);
    if (kind === BODY || kind === ARROW_BODY || kind === CLASS) this.functions += 1;
    if (kind === BODY || kind === CLASS) this.thises += 1;
  }

  pop() {
    const kind = this.kinds.pop();
    this.own.pop();
    this.ownBefore.pop();
    this.waitsIn.pop();
    this.questions.pop();
    this.expression.pop();
    if (kind === BODY || kind === ARROW_BODY || kind === CLASS) this.functions -= 1;
    if (kind === BODY || kind === CLASS) this.thises -= 1;
    return this.waiting.pop();
  }

  openBracket(c) {
    const { word, wordBefore, functionHead } = this;
    const inExpression = c === OPEN_BRACE && this.isInExpression();
    const declares = word === 'var' || word === 'let' || word === 'const' || word === 'import' || word === 'export' ||
      (wordBefore === 'import' && this.token === COMMA);
    const { closed, token } = this;
    this.take(c, 1, false);
    if (c === OPEN_BRACKET) return this.push(declares ? PATTERN : BRACKET, 0, true);
    if (c === OPEN) {
      this.functionHead = 0;
      if (functionHead !== 0) return this.push(PARAMETERS, 0, functionHead === 2);
      if (word === 'catch') return this.push(PARAMETERS, 0, false);
      return this.push(HEAD_WORDS.has(word) || (word === 'await' && wordBefore === 'for') ? HEAD : PAREN, 0, false);
    }
    if (this.classHead === this.depth && word !== 'extends') {
      this.classHead = -1;
      return this.push(CLASS, 0, this.classInExpression);
    }
    if (closed !== null && closed.isList) return this.push(BODY, closed.waiting, closed.expression);
    if (token === ARROW) return this.push(ARROW_BODY, 0, false);
    if (declares) return this.push(PATTERN, 0, false);
    this.push(inExpression ? OBJECT : BLOCK, 0, inExpression);
  }

  // Whether an expression is what comes next, and not a statement.
  isInExpression() {
    const { token, word, kind } = this;
    if (token === WORD) {
      if (this.isProperty) return false;
      if (word === 'async') return !STATEMENT_BEGINS_BEHIND.has(this.tokenBefore);
      return OPERATOR_WORDS.has(word) && !BLOCK_WORDS.has(word) && word !== 'export';
    }
    if (token === START || token === SEMICOLON || token === CLOSE || this.operand) return false;
    if (token === CLOSE_BRACE) return false;
    if (token === OPEN_BRACE) return kind === OBJECT || kind === TEMPLATE;
    if (token === COLON) return kind === OBJECT || kind === PATTERN || kind === CLASS;
    return true;
  }

  openInTemplate() {
    this.take(OTHER, 2, false);
    this.push(TEMPLATE, 0, true);
  }

  closeBracket(c) {
    if (c === CLOSE_BRACE && this.kind === TEMPLATE) {
      this.take(c, 1, false);
      this.pop();
      return this.readTemplate();
    }
    if (this.depth === 0) return this.take(c, 1, true); // nothing that Node.js would run
    const { kind, depth } = this;
    const expression = this.expression[depth];
    this.take(c, 1, c === CLOSE_BRACE ? expression : kind !== HEAD);
    const waiting = this.pop();
    if (c === CLOSE) this.closed = { kind, waiting, expression, isList: false };
    if (kind === ARROW_BODY) this.endArrow();
  }

  // --- uses of exports

  // A name in a place where it may be a parameter waits until the list is closed and the next token is known.
  use(names, isParameter = true) {
    const { depth } = this;
    if ((names & EXPORTS & ~this.own[depth]) === 0 && (names & MODULE) === 0) return;
    const place = isParameter ? this.waitsIn[depth] : -1;
    if (place >= 0) this.waiting[place] |= names;
    else if ((names & EXPORTS & ~this.own[depth]) !== 0) this.offers = true;
  }

  // Whether the name is declared here, and is then not the module's. At the top of a script it still is.
  isDeclared(name, declares) {
    const inPattern = this.kind === PATTERN;
    if (!declares && !inPattern) return false;
    if (this.functions > 0 || this.esm) {
      const place = inPattern ? this.depth - 1 : this.depth;
      this.own[place] |= name;
      this.ownBefore[place] |= name;
    }
    return true;
  }

  // The token behind a name, a closing parenthesis or a chain tells what these are.
  decide(token, word) {
    if (this.held) {
      this.held = false;
      if (token === ARROW) this.arrowOwn = EXPORTS;
      else if (!this.isHeldName(token)) this.use(EXPORTS, this.tokenBefore !== EQUALS);
    }
    if (this.closed !== null) this.decideClosed(token);
    if (this.chain !== '') this.follow(token, word);
  }

  // Of a property, a method or a label.
  isHeldName(token) {
    if (this.heldIsName && (token === COLON || token === OPEN || this.kind === CLASS)) return true;
    return token === COLON && this.questions[this.depth] === 0 && this.wordBefore !== 'case';
  }

  decideClosed(token) {
    const { closed } = this;
    this.closed = null;
    const isMethod = closed.kind === PAREN && (this.kind === OBJECT || this.kind === CLASS);
    closed.isList = token === OPEN_BRACE && (closed.kind === PARAMETERS || isMethod);
    if (token === ARROW) this.arrowOwn = closed.waiting;
    else if (!closed.isList && closed.waiting !== 0) this.use(closed.waiting);
  }

  follow(token, word) {
    const { chain } = this;
    this.chain = '';
    switch (chain) {
      case 'module':
        if (token === ARROW) this.arrowOwn |= MODULE;
        else if (token === DOT || token === OPTIONAL_DOT) this.chain = 'module.';
        else if (token === OPEN_BRACKET) this.chain = 'module[';
        else if (this.tokenBefore === EQUALS && (this.own[this.depth] & MODULE) === 0) this.offers = true; // under another name
        else this.use(MODULE);
        return;
      case 'module.': case 'module[':
        if (token === OPEN_BRACKET && chain === 'module.') this.chain = 'module['; // module?.[
        else if (word === 'exports' && (this.own[this.depth] & MODULE) === 0) this.offers = true;
        return;
      case 'this':
        if (token === DOT) this.chain = 'this.';
        return;
      case 'this.':
        if (word === 'handler') this.chain = 'this.handler';
        return;
      case 'this.handler':
        if (token === EQUALS) this.offers = true;
        return;
      case 'import':
        if (token === DOT) this.esm = true; // import.meta
        else if (token !== OPEN && this.depth === 0) this.esm = true;
        return;
      case 'export':
        if (token === OPEN_BRACE) this.chain = 'export {';
        else this.offers = true;
        return;
      default: // 'export {': that of nothing only says that the file is a module
        if (token !== CLOSE_BRACE) this.offers = true;
    }
  }
}

// `offers`: the file has something to import. `esm`: it is an ES module, which the caller may know beforehand, or is written as one: of
// a file that offers something through CommonJS as far as was read.
function readModuleSyntax(text, esm) {
  const mayOffer = text.includes('export') || (text.includes('handler') && text.includes('this')) || text.includes('\\u');
  return mayOffer ? new Scanner(text, esm).scan() : { offers: false, esm };
}

module.exports = { readModuleSyntax };
