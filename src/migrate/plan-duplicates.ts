import { type Document, isNode, isScalar, visit } from "yaml";

/**
 * Where keys of a document stand that their maps have already. The parser's own look takes each key to all that came
 * before it, which in a large map takes for ever.
 *
 * @throws RangeError for a document that is nested so deeply that the stack does not hold it
 */
export function duplicatesOf(document: Document): number[] {
  const found: number[] = [];
  visit(document, {
    Map: (_key, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name) && isNode(key)) found.push(key.range?.[0] ?? 0);
        seen.add(name);
      }
    },
  });
  return found;
}
