// tasks.ts — every task by its name.

import { cweTask } from "./cwe.ts";
import { fweTask } from "./fwe.ts";
import { multiturnTask } from "./multiturn.ts";
import { needleTask } from "./needle.ts";
import { niahTasks } from "./niah.ts";
import { passkeyTask } from "./passkey.ts";
import type { TaskName } from "./prompt.ts";
import { qaTasks } from "./qa.ts";
import type { Task } from "./task.ts";
import { titleTask } from "./title.ts";
import { uuidTask } from "./uuid.ts";
import { vtTask } from "./vt.ts";

/** The tasks of the suite. */
export const TASKS: Readonly<Record<TaskName, Task>> = {
  uuid: uuidTask,
  passkey: passkeyTask,
  title: titleTask,
  needle: needleTask,
  multiturn: multiturnTask,
  ...niahTasks,
  vt: vtTask,
  cwe: cweTask,
  fwe: fweTask,
  ...qaTasks,
};
