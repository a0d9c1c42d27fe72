words = split(getArgument(), "|");
input = words[0]; output = words[1]; share = parseInt(words[2]); shares = parseInt(words[3]);
setBatchMode(true);
names = getFileList(input);
for (i = share; i < names.length; i += shares) {
    open(input + names[i]);
    run("Median...", "radius=2");
    saveAs("Tiff", output + names[i]);
    close();
}
run("Quit");
