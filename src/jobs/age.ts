/** For how many days what is recorded of a job is kept after its end. */
export const KEPT_DAYS = 90;

const DAY_MS = 24 * 3600 * 1000;

/** Whether something that ended then is not worth a look any more. @param now milliseconds since 1970 */
export function isLongAgo(ended: Date, now: number): boolean {
  return now - ended.getTime() > KEPT_DAYS * DAY_MS;
}
