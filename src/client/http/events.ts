/** A server-sent event of the API: `id`, `event` and one line of `data`. */
export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  /** Parsed JSON. */
  readonly data: unknown;
}

/** Reads the events of a stream. @param onBytes called for everything that arrives, including keep-alive comments. */
export async function* readEvents(bytes: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of bytes) {
    onBytes();
    text += decoder.decode(piece, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.split(': ', 1)[0], line.replace(/^\w+: /, '')]));
      const data = fields.get('data');
      if (data === undefined) continue; // a comment, or the retry interval
      yield { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) as unknown };
    }
  }
}
