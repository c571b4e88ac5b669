// tokenizer.ts — the tokenizer that a checkpoint's text files make.

import { Tokenizer } from "../../tokenizer/index.ts";
import type { CheckpointTexts } from "./index.ts";

/** The tokenizer of a checkpoint, undefined where there is no tokenizer.json. @throws LlariatError("tokenizer"). */
export const tokenizerOf = (texts: CheckpointTexts): Tokenizer | undefined =>
  texts.tokenizer === undefined
    ? undefined
    : Tokenizer.fromFiles({
        tokenizerJson: texts.tokenizer,
        tokenizerConfig: texts.tokenizerConfig,
        specialTokensMap: texts.specialTokensMap,
        chatTemplate: texts.chatTemplate,
      });
