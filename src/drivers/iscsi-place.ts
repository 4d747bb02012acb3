import type { Portal, SessionTimeouts } from "../connectors/connection.js";
import { checkTargetName, parseLun } from "../connectors/iscsi/names.js";
import type { DriverPlaces } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import type { IscsiLocation } from "./iscsi-ref.js";
import { lazySettings } from "./lazy-settings.js";

/** Portals, and perhaps the one target behind them that counts. */
export interface IscsiPlace {
  readonly portals: readonly Portal[];
  readonly iqn?: string | undefined;
  readonly chap?: IscsiPlaceChap | undefined;
  readonly timeouts?: SessionTimeouts | undefined;
}

/** Users, and the files that hold their secrets. */
export interface IscsiPlaceChap {
  readonly user: string;
  readonly secretFile?: string | undefined;
  readonly targetUser?: string | undefined;
  readonly targetSecretFile?: string | undefined;
}

/** Of `san1:LUN` where the backend has an iqn, else `san1:IQN/LUN`. */
export const iscsiPlaces: DriverPlaces<IscsiLocation, IscsiPlace> = {
  settings: lazySettings(async () => (await import("./iscsi-settings.js")).iscsiSettings),
  locate: ({ portals, iqn, chap = {}, timeouts = {} }, name) => ({
    portals,
    ...targetOf(iqn, name),
    ...given(chap),
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
  }),
};

function targetOf(iqn: string | undefined, name: string): Pick<IscsiLocation, "iqn" | "lun"> {
  if (iqn !== undefined) return { iqn, lun: parseLun(name) };
  const [target = "", lun, ...further] = name.split("/");
  if (lun === undefined || further.length > 0) {
    throw new BlockhaulError("ERR_INVALID_REF", {
      message: "names no target and LUN",
      hint: "a volume of a backend without an iqn is BACKEND:IQN/LUN",
    });
  }
  return { iqn: checkTargetName(target), lun: parseLun(lun) };
}

/** What is there, and nothing that is undefined. */
function given(chap: Partial<IscsiPlaceChap>): Partial<Record<keyof IscsiPlaceChap, string>> {
  return Object.fromEntries(Object.entries(chap).filter(([, value]) => value !== undefined));
}
