# pytorch_model.bin. The files are those of tests/golden/bin/hostile, of which
# make.py there tells what is wrong; "sound" ones are, but hold one tensor.
bin=$golden/bin
rows=0
b() { # b FILE STATUS TEXT
    rm -rf ../m && mkdir ../m
    cp "$bin/native/config.json" ../m
    cp "$bin/hostile/$1.bin" ../m/pytorch_model.bin
    rows=$((rows + 1))
    p "pickle: $1" "$2" "$3"
}
b after_stop 3 'bytes after the end'
b append_to_dict 3 'items of what is not a list'
b arguments 3 'arguments of _rebuild_tensor_v2 are not those that torch.save writes'
b bare_pickle 3 'is no file of torch.save: it does not start as a zip file does'
b bare_tensor 4 'the pickle is a tensor, not a dictionary of tensors'
b before_1_6 4 'the format of torch before 1.6'
b big_endian 4 "byte order 'big'"
b both 4 'of 2 tensors, 1 lie outside of the dictionary of tensors'
b build_dict 3 'attributes of what is no OrderedDict'
b build_other 4 "the pickle sets the attribute '__class__'"
b build_two 3 'attributes other than _metadata'
b bytes 4 'the pickle uses SHORT_BINBYTES, which no tensor needs'
b complex 4 "the pickle asks for 'torch.ComplexFloatStorage'"
b deep 4 'the pickle is a tuple, not a dictionary of tensors'
b deflated 4 'archive/data.pkl is compressed (deflate, method 8)'
b dict_arguments 3 'arguments of OrderedDict are not those that torch.save writes'
b dict_called 3 'a call of a tensor with a tuple'
b dotted 4 "the pickle asks for 'collections.OrderedDict.fromkeys'"
b empty_zip 3 'is no file of torch.save: it does not start as a zip file does'
b escape 4 "the pickle asks for '?[31mos.system'"
b eval 4 "the pickle asks for '__builtin__.eval'"
b eval4 4 "the pickle asks for 'builtins.eval'"
b ext1 4 'the pickle uses EXT1, which no tensor needs'
b frame 3 'a frame that is longer than the pickle'
b getattr 4 "the pickle asks for 'torch.load'"
b hooks 3 'arguments of _rebuild_tensor_v2 are not those that torch.save writes'
b huge_tuple 4 'the pickle is a tuple, not a dictionary of tensors'
b inst 4 'the pickle uses INST, which no tensor needs'
b items_of_tuple 3 'items of what is not a dictionary'
b line 3 'a name without an end'
b list 4 'the pickle is a list, not a dictionary of tensors'
b long1 3 'an integer of 255 bytes, more than 8'
b long4 3 'an integer of 2147483647 bytes, more than 8'
b long_nine 3 'an integer of 9 bytes, more than 8'
b mark 3 'nothing is on the stack'
b memo_empty 3 'nothing was put at place 7 of the memo'
b memo_far 3 'place 4294967295 of the memo, where the next is 0'
b memo_gap 3 'place 1 of the memo, where the next is 0'
b memo_get_far 3 'nothing was put at place 2147483647 of the memo'
b memo_mark 3 'nothing is on the stack'
b metadata 4 'a tensor with metadata'
b metadata_tensor 4 'of 2 tensors, 1 lie outside of the dictionary of tensors'
b name_bomb 3 'nnn occurs twice'
b name_newline 3 'the name of a tensor has byte 10 in it'
b name_number 3 'the name of a tensor is an integer'
b name_twice 3 'tensor a occurs twice'
b nested_twice 4 "'state_dict' is a dictionary, not a tensor"
b newobj 4 'the pickle uses NEWOBJ, which no tensor needs'
b no_folder 3 'data.pkl is not in the one folder of the archive'
b no_mark 3 'no mark is on the stack'
b no_pickle 3 'a zip file without data.pkl, not of torch.save'
b no_stop 3 'the pickle ends at byte 184, where 1 more are needed from byte 184 on'
b nothing 3 'nothing is on the stack'
b numel_huge 3 'tensor a: data/0 has 16 bytes, not 4611686018427387904 numbers of f32'
b numel_large 3 'tensor a: data/0 has 16 bytes, not 5 numbers of f32'
b numel_negative 3 'a storage of -4 numbers'
b numel_small 3 'tensor a: data/0 has 16 bytes, not 3 numbers of f32'
b obj 4 'the pickle uses OBJ, which no tensor needs'
b odd_items 3 'a key without a value'
b offset_huge 3 'tensor a has 2 numbers from 9223372036854775807 on, its storage 4'
b offset_large 3 'tensor a has 2 numbers from 3 on, its storage 4'
b offset_negative 3 'tensor a has 2 numbers from -1 on, its storage 4'
b opcode 3 'no opcode is 0xff'
b optimizer 4 'of 2 tensors, 1 lie outside of the dictionary of tensors'
b os_system 4 "the pickle asks for 'os.system'"
b parameter_of_none 3 'arguments of _rebuild_parameter are not those that torch.save writes'
b persid 4 'the pickle uses PERSID, which no tensor needs'
b protocol0 3 'it does not start with a protocol'
b protocol6 4 'a pickle of protocol 6, 2 to 5 are read'
b quantised 4 "the pickle asks for 'torch.QInt8Storage'"
b rebuild_v3 4 "the pickle asks for 'torch._utils._rebuild_tensor_v3'"
b recursion 4 "'a' is a dictionary, not a tensor"
b recursion_beside 4 "'self' is a dictionary, not a tensor"
b recursive_wrap 4 "'state_dict' is a dictionary, not a tensor"
b script 4 'a TorchScript module'
b set 4 'the pickle uses EMPTY_SET, which no tensor needs'
b shape_large 3 'the size of tensor a does not fit 64 bits'
b shape_negative 3 'dimension 0 of tensor a or its stride is not a count'
b shape_text 3 'dimension 0 of tensor a or its stride is not a count'
b six_dimensions 4 'tensor a has 6 dimensions, more than 5'
b sound 3 '2 layers, but only 1 tensors'
b storage_called 3 'a call of FloatStorage with a tuple'
b storage_missing 3 'tensor a is in data/1, which the archive does not have'
b storage_outside 3 'tensor a is in data/../data/0, which the archive does not have'
b storage_tag 3 'a reference to what is no storage'
b storage_twice 3 'tensor b: data/0 holds f32 and i64'
b stride_missing 3 'tensor a has 2 dimensions and 1 strides'
b stride_negative 3 'dimension 0 of tensor a or its stride is not a count'
b stride_zero 4 'tensor a is not contiguous: the stride of dimension 0 is 0, not 2'
b system 4 "the pickle asks for 'posix.system'"
b text8_long 3 'the pickle ends at byte 12, where 18446744073709551615 more are needed'
b text_bytes 3 'a text that is not valid UTF-8'
b text_long 3 'the pickle ends at byte 8, where 4294967295 more are needed from byte'
b transposed 4 'tensor a is not contiguous: the stride of dimension 1 is 2, not 1'
b two_folders 3 'b/data/0 is not in the one folder of the archive'
b two_values 3 'more than one value at the end'
b unknown_file 4 'extra/notes in the archive belongs to no tensor'
b unused_storage 4 'data/1 in the archive belongs to no tensor'
b value_dict 4 "'inner' is a dictionary, not a tensor"
b value_number 4 "'step' is an integer, not a tensor"
b version_99 4 "version '99' of the format, 1 to 9 are read"
b wrapped_twice 3 "'state_dict' occurs twice"
b zip64_at 3 'the directory of the zip file, 382 bytes from 18446744073709551615 on,'
b zip64_differ 3 'the two end records of the zip file differ'
b zip64_disks 3 'one of several parts of a zip file'
b zip64_length 3 'archive/data.pkl, 18446744073709551615 bytes, reaches into the directo'
b zip64_locator 3 'the end record of a large zip file is not where its locator says'
b zip64_long 3 'archive/data.pkl has no sizes of a large file'
b zip64_many 3 'a zip file of 18446744073709551615 files with a directory of 382 bytes'
b zip64_other 3 'archive/data.pkl has no sizes of a large file'
b zip64_place 3 'archive/data.pkl is not at byte 18446744073709551600, where the direct'
b zip64_record 3 'the end record of a large zip file is not where its locator says'
b zip64_short 3 'archive/data.pkl has no sizes of a large file'
b zip64_size 3 'the directory of the zip file, 18446744073709551615 bytes from 391 on,'
b zip64_sound 3 '2 layers, but only 1 tensors'
b zip_bytes_after 3 'no zip file, or cut: it does not end in the record that a zip file end'
b zip_comment 3 'no zip file, or cut: it does not end in the record that a zip file end'
b zip_directory_at 3 'the directory of the zip file, 246 bytes from 2147483647 on, does not'
b zip_directory_size 3 'the directory of the zip file, 1 bytes from 391 on, does not end at by'
b zip_disks 3 'one of several parts of a zip file'
b zip_encrypted 4 'archive/data.pkl is encrypted'
b zip_fewer_records 3 'the directory of the zip file has more records than its end says'
b zip_local 3 'archive/byteorder is not at byte 231, where the directory places it'
b zip_local_extra 3 'archive/version, 2 bytes, reaches into the directory'
b zip_local_name 3 'archive/byteorder has another name at byte 231'
b zip_lzma 4 'archive/data.pkl is compressed (not deflate, method 14)'
b zip_many_records 3 'a zip file of 65279 files with a directory of 246 bytes'
b zip_more_records 3 'the directory of the zip file has no record at byte 637'
b zip_name_length 3 'the record at byte 576 reaches beyond the directory'
b zip_no_wide 3 'archive/data.pkl has no sizes of a large file'
b zip_overlap 3 'archive/data.pkl and archive/byteorder overlap'
b zip_parts 3 'one of several parts of a zip file'
b zip_place 3 'archive/data.pkl is not at byte 1, where the directory places it'
b zip_place_far 3 'archive/data.pkl is not at byte 4294967280, where the directory places'
b zip_reach 3 'archive/data.pkl, 65536 bytes, reaches into the directory'
b zip_record 3 'the directory of the zip file has no record at byte 453'
b zip_same_place 3 'archive/byteorder has another name at byte 0'
b zip_sizes 3 'archive/data.pkl is stored, but has 1 bytes of 185'
b zip_twice 3 'archive/data/0 occurs twice'
name='every file has a row'
[ $rows -eq "$(ls "$bin/hostile" | wc -l)" ] || wrong "$rows rows"

sound_bin() {
    rm -rf ../m
    cp -r "$bin/$1" ../m
}
sound_bin native
fine 'a sound pytorch_model.bin' predict -m ../m --ids 1,2,3
try 'pytorch_model.bin in place of the folder' 3 'name the directory' predict -m ../m/pytorch_model.bin --ids 1
for bytes in 0 1 30 1000 40000 53000; do
    sound_bin native
    truncate -s $bytes ../m/pytorch_model.bin
    p "pytorch_model.bin of $bytes bytes" 3 'pytorch_model.bin'
done
sound_bin native
rm ../m/pytorch_model.bin && mkdir ../m/pytorch_model.bin
p 'pytorch_model.bin that is a folder' 3 'is a directory'
sound_bin native
at=$(find_text ../m/pytorch_model.bin 'backbone.norm_f.weight')
poke ../m/pytorch_model.bin "$at" X
p 'a tensor of another name' 3 'backbone.norm_f.weight is missing'

X=../m/pytorch_model.bin.index.json
sound_bin shards
rm ../m/pytorch_model-00002-of-00002.bin
p 'a shard of .bin is missing' 3 'pytorch_model-00002-of-00002.bin'
sound_bin shards
sed 's|pytorch_model-00001|../pytorch_model-00001|' $X >../k && mv ../k $X
p 'a shard of .bin of another folder' 3 'not the plain name'
sound_bin shards
sed '/"a"/s/00001-of/00002-of/' $X >../k && mv ../k $X
p 'a tensor in the wrong shard of .bin' 3 'the index'
sound_bin shards
cp "$golden/load/shards/model-00001-of-00002.safetensors" ../m/pytorch_model-00001-of-00002.bin
p 'a shard of .bin that is safetensors' 3 'no file of torch.save'
