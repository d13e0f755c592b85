/** Server-sent events, as the API sends them: `id`, `event` and one line of `data`. */
export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  /** Parsed. */
  readonly data: unknown;
}

/** @param heard is called for whatever comes, a sign of life too. */
export async function* eventsIn(bytes: AsyncIterable<Uint8Array>, heard: () => void): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of bytes) {
    heard();
    text += decoder.decode(piece, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w+: /, '')]));
      const data = fields.get('data');
      if (data === undefined) continue; // a comment, or how soon to come again
      yield { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) as unknown };
    }
  }
}
