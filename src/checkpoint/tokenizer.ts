// tokenizer.ts — the tokenizer that a checkpoint's text files make.

import { Tokenizer } from "../../tokenizer/index.ts";

/** The text files of a checkpoint that the tokenizer reads. */
export interface CheckpointTexts {
  readonly tokenizer?: string; // tokenizer.json
  readonly tokenizerConfig?: string; // tokenizer_config.json
  readonly specialTokensMap?: string; // special_tokens_map.json
  readonly chatTemplate?: string; // chat_template.jinja
}

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
