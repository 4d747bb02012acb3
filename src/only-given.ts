/** An object without what is undefined: spread over another, it changes only what it names. */
export function onlyGiven<Options extends object>(options: Options): Options {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Options;
}
