/* The regular expressions of the C library, for tests/ere.rs. Each line of standard input is flags,
   ERE, subject, with tabs between them; flags are `i` or `-`. Each line of output is `refused`, `none`,
   or the whole match and groups 1 to 9, each in angle brackets; a group without a match is empty. */
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void answer(const char *flags, const char *ere, const char *subject)
{
    regex_t regex;
    regmatch_t groups[10];
    size_t i;

    if (regcomp(&regex, ere, REG_EXTENDED | (flags[0] == 'i' ? REG_ICASE : 0)) != 0) {
        puts("refused");
        return;
    }
    if (regexec(&regex, subject, 10, groups, 0) != 0) {
        puts("none");
    } else {
        for (i = 0; i <= regex.re_nsub && i < 10; i++) {
            int len = groups[i].rm_so < 0 ? 0 : (int)(groups[i].rm_eo - groups[i].rm_so);
            printf("<%.*s>", len, len ? subject + groups[i].rm_so : "");
        }
        putchar('\n');
    }
    regfree(&regex);
}

int main(void)
{
    char line[4096];

    alarm(60); /* Some expressions take it minutes: then the test is to fail. */
    while (fgets(line, sizeof line, stdin)) {
        char *ere, *subject;
        line[strcspn(line, "\n")] = 0;
        if (!(ere = strchr(line, '\t')) || !(subject = strchr(ere + 1, '\t'))) {
            fputs("not three fields\n", stderr);
            return 1;
        }
        *ere++ = 0;
        *subject++ = 0;
        answer(line, ere, subject);
    }
    return 0;
}
