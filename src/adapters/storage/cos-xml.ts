/**
 * Reads the XML that COS answers with. The parser is the one that the COS SDK uses.
 *
 * What must hold: a document that is truncated, not well-formed or of an unexpected shape yields null, never partial data. Only
 * an error answer may be truncated.
 */
import { type X2jOptions, XMLParser, XMLValidator } from 'cos-fast-xml-parser';
import { z } from 'zod';

/** Whitespace is kept, because a key may end with a space. Text is not converted to numbers, even if it looks like a number. */
const OPTIONS = { ignoreDeclaration: true, parseTagValue: false, trimValues: false } as const satisfies X2jOptions;

const parser = new XMLParser(OPTIONS);

/** @param shape schema of the document. An element without content becomes an empty string. */
export function parseXml<T>(xml: string, shape: z.ZodType<T>): T | null {
  return parseWhole(xml, parser, shape);
}

/**
 * Like `parseXml`, but each element at `path` is a string: its content exactly as written, so that it can be written back. The
 * elements are always an array. If an element has attributes, parsing fails, because the string would not contain them.
 */
export function parseXmlWithRaw<T>(xml: string, path: string, shape: z.ZodType<T>): T | null {
  const rawParser = new XMLParser({
    ...OPTIONS,
    ignoreAttributes: (_name, jPath) => jPath !== path,
    stopNodes: [path],
    isArray: (_name, jPath) => jPath === path,
  });
  return parseWhole(xml, rawParser, shape);
}

function parseWhole<T>(xml: string, xmlParser: XMLParser, shape: z.ZodType<T>): T | null {
  if (XMLValidator.validate(xml) !== true) return null;
  try {
    return shape.safeParse(withoutIndentation(xmlParser.parse(xml))).data ?? null;
  } catch {
    return null; // the parser's message would quote the content
  }
}

/** Removes the text between elements. In COS's answers this text is only indentation. Throws if it is anything else. */
function withoutIndentation(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutIndentation);
  if (typeof node !== 'object' || node === null) return node;
  const { '#text': indentation = '', ...elements } = node as Record<string, unknown>;
  if (String(indentation).trim() !== '') throw new Error('text between elements');
  return Object.fromEntries(Object.entries(elements).map(([name, value]) => [name, withoutIndentation(value)]));
}

export interface CosError {
  readonly code: string | null;
  readonly message: string | null;
  readonly requestId: string | null;
}

const word = z.string().trim().min(1).max(1024).nullable().catch(null);
const errorAnswer = z.object({ Error: z.object({ Code: word, Message: word, RequestId: word }) });

/** Reads an error answer, even if it is truncated. Fields that the answer lacks are null. */
export function parseCosError(xml: string): CosError {
  const { Code = null, Message = null, RequestId = null } = parseError(xml)?.Error ?? {};
  return { code: Code, message: Message, requestId: RequestId };
}

function parseError(xml: string): z.infer<typeof errorAnswer> | undefined {
  try {
    return errorAnswer.safeParse(parser.parse(xml)).data;
  } catch {
    return undefined; // the text is not XML, for example a proxy's error page
  }
}
